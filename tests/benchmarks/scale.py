"""How time and memory grow with the size of a file: load, differentiate, optimise, save, compile.

Each step runs in a process of its own, on files that are made in a temporary folder and deleted.
Seconds are of CPU time; peak is the most memory that the process had, with what led to the step.

Run: python tests/benchmarks/scale.py [--nodes 1000 32000] [--kinds deep wide] [--gigabytes 2.6]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from large_files import KINDS, write_heavy  # noqa: E402  # they are no package

import onnxgrad as og  # noqa: E402

STEPS = ("load", "differentiate", "optimise", "save", "numpy", "onnxruntime")


def peak_megabytes() -> float:
    """Give the most memory that this process had; elsewhere than on Linux its parent's counts."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def run_step(step: str, path: Path) -> dict[str, float]:
    """Do what leads to a step, then the step; give its seconds and the peak of memory."""
    apart = path.with_suffix(".data").exists()
    graph: Any = path

    def differentiate() -> og.Graph:
        wrt = [v.name for v in graph.values() if v.parameter and v.rank]
        return og.vjp(graph, "loss", wrt or "x", allow_unused=True)

    actions: dict[str, Callable[[], Any]] = {
        "load": lambda: og.load(graph),
        "differentiate": differentiate,
        "optimise": lambda: og.optimize(graph),
        "save": lambda: og.save(graph, path.with_name("out.onnx"), external_data=apart or None),
        "numpy": lambda: og.compile(graph),
        "onnxruntime": lambda: og.compile(graph, "onnxruntime"),
    }
    for before in STEPS[: min(STEPS.index(step), 2)]:
        graph = actions[before]()
    start = time.process_time()
    actions[step]()
    return {"seconds": time.process_time() - start, "peak": peak_megabytes()}


def measure(step: str, path: Path) -> dict[str, float] | None:
    """Run a step in a process of its own; None where that fails."""
    command = [sys.executable, __file__, "--step", step, "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"    {step} failed: {done.stderr.strip().splitlines()[-1:]}", flush=True)
        return None
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def growth(sizes: list[int], seconds: list[float]) -> float:
    """Fit seconds = c · sizeᵉ and give e: 1 is linear, 2 quadratic."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(seconds, 1e-3)), 1)[0])


def print_growth(kind: str, sizes: list[int], folder: Path) -> None:
    """Print a line for each step: seconds and peak at each size, and how the seconds grow."""
    print(f"\n{kind:<15}" + "".join(f"{size:>18,}" for size in sizes) + "    grows with")
    paths = []
    for size in sizes:
        paths.append(folder / f"{kind}{size}.onnx")
        paths[-1].write_bytes(KINDS[kind](size).SerializeToString())
    for step in STEPS:
        results = [measure(step, path) for path in paths]
        cells = ["–" if r is None else f"{r['seconds']:.2f} s {r['peak']:,.0f} MB" for r in results]
        known = [(n, r["seconds"]) for n, r in zip(sizes, results, strict=True) if r]
        fit = f"n^{growth(*map(list, zip(*known, strict=True))):.2f}" if len(known) > 1 else ""
        print(f"{step:<15}" + "".join(f"{cell:>18}" for cell in cells) + f"    {fit}", flush=True)
    for path in paths:
        path.unlink()


def print_heavy(gigabytes: float, folder: Path) -> None:
    """Print seconds and peak for a file of that size, the peak as a multiple of the file, too."""
    path = write_heavy(folder, int(gigabytes * 1e9))
    size = path.with_suffix(".data").stat().st_size / 2**20
    print(f"\nweights of {size:,.0f} MB beside the model")
    for step in STEPS:
        if (result := measure(step, path)) is not None:
            share = result["peak"] / size
            print(
                f"{step:<15}{result['seconds']:>8.2f} s {result['peak']:>9,.0f} MB = {share:.2f} ×"
            )


def main() -> None:
    """Print the tables, or do one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1000, 4000, 10000, 32000])
    parser.add_argument(
        "--kinds", nargs="*", choices=KINDS, default=["deep", "wide", "convolutional"]
    )
    parser.add_argument("--gigabytes", type=float, default=2.6, help="0: no such file")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        warnings.simplefilter("ignore")
        print(json.dumps(run_step(given.step, given.file)))
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.kinds:
            print_growth(kind, given.nodes, Path(folder))
        if given.gigabytes:
            print_heavy(given.gigabytes, Path(folder))


if __name__ == "__main__":
    main()
