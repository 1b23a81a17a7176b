"""Check the cupy backend with the real CuPy and without a GPU: `make cupy` installs and runs it.

Runs arithmetic on odd numbers, ONNX's own cases, the gradient of every operator and models exported
by torch through CuPy, its kernels compiled for the CPU (helpers/cupy_on_cpu), and compares with
NumPy; then NVRTC compiles all sources met for GPUs. The first run compiles a thousand kernels.
"""

import argparse
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

import cupy_on_cpu  # noqa: E402  # they are no package

cupy_on_cpu.install()  # before anything imports CuPy

from gpu_cases import GpuCase, gpu_cases  # noqa: E402
from odd_values import odd_cases  # noqa: E402

ARCHITECTURES = (75, 80, 90)
"""Compute capabilities to compile for: the oldest that CUDA 13 has, A100 and H100."""


def run_cases(cases: Sequence[GpuCase]) -> tuple[Counter[str], list[str], Counter[str]]:
    """Run cases; give their number by kind, what failed, and what ran on the host."""
    counts: Counter[str] = Counter()
    host: Counter[str] = Counter()
    failures = []
    for case in cases:
        counts[case.kind] += 1
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                case.check()
            except Exception as error:  # every failure is a finding
                failures.append(f"{case.kind} {case.name}: {type(error).__name__}: {error}"[:600])
                print(failures[-1], flush=True)
        host.update(
            re.sub(r" '.*' runs on the host", "", str(w.message))
            for w in caught
            if w.category.__name__ == "HostFallbackWarning"
        )
    return counts, failures, host


def compile_sources(architecture: int) -> list[str]:
    """Compile every source that CuPy wrote with NVRTC; give what it said of those it refused."""
    from cupy.cuda import nvrtc  # pyright: ignore[reportMissingImports]  # an extra

    refused = []
    for source, options in cupy_on_cpu.SOURCES.values():
        program = nvrtc.createProgram(source, "kernel.cu", (), ())
        try:
            nvrtc.compileProgram(program, (f"-arch=sm_{architecture}", *options))
        except nvrtc.NVRTCError:
            refused.append(nvrtc.getProgramLog(program))
        nvrtc.destroyProgram(program)
    return refused


def main() -> int:
    """Run everything, print what was found, give the number of failures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first case")
    parser.add_argument("--every", type=int, default=1, help="run every so many cases")
    arguments = parser.parse_args()
    import cupy  # pyright: ignore[reportMissingImports]

    cases = [*odd_cases(cupy), *gpu_cases(few=True)][arguments.first :: arguments.every]
    counts, failures, host = run_cases(cases)
    print(f"CuPy {cupy.__version__}, NumPy {np.__version__}, {len(cupy_on_cpu.SOURCES)} sources")
    failed = Counter(f.split()[0] for f in failures)
    for kind, count in counts.items():
        print(f"{kind}: {count - failed[kind]} of {count} as NumPy")
    for name, said in cupy_on_cpu.FAILED.items():
        print(f"g++ refused {name}: {said}")
    for said, count in sorted(host.items()):
        print(f"on the host {count} times: {said}")
    refused = 0
    for architecture in ARCHITECTURES:
        logs = compile_sources(architecture)
        refused += len(logs)
        print(f"NVRTC for sm_{architecture}: {len(logs)} refused", *logs, sep="\n")
    return len(failures) + len(cupy_on_cpu.FAILED) + refused


if __name__ == "__main__":
    found = main()
    sys.stdout.flush()
    os._exit(min(found, 1))  # CuPy would free what no driver gave
