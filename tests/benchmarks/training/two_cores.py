"""Estimate NumPy beside torch eager on two cores, on a machine that has no two cores to spare.

It takes the processor's time of the main thread alone: what waits for another thread costs none.
torch runs on two threads that sleep while they wait. NumPy's BLAS cannot sleep so: it runs on one
thread, while all else runs on two, and its part is divided by 1.9. Caches are shared with whatever
else runs, so trust ratios only.

Run: python tests/benchmarks/training/two_cores.py [--only W2,W3] [--rounds 9]
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np  # noqa: E402
from contenders import start  # noqa: E402  # its folder is no package
from workload import job  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

SETTINGS = {
    "torch": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0"},
    "numpy": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"},
}
SPEED_UP = 1.9
"""What two threads make of a product of matrices."""


def main_thread(workload: str, contender: str, rounds: int) -> float:
    """Give the milliseconds of a step that no second thread could take over."""
    in_blas = 0.0

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            nonlocal in_blas
            begin = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                in_blas += time.thread_time() - begin

        return run

    if contender == "numpy":  # kernels look these up when a graph is compiled, or when they run
        for name in ("matmul", "dot"):
            setattr(np, name, timed(getattr(np, name)))
    work = WORKLOADS[workload]
    step, _ = start(contender, job(work, work.size, 0 if contender == "numpy" else 2))
    seconds = []
    for _ in range(rounds + 3):
        in_blas, begin = 0.0, time.thread_time()
        step()
        seconds.append(time.thread_time() - begin - in_blas * (1 - 1 / SPEED_UP))
    return median(seconds[3:]) * 1e3


def main() -> None:
    """Let each contender run alone, and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="W2,W3", help="comma-separated workloads")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--contender", choices=list(SETTINGS))
    given = parser.parse_args()
    if given.contender:
        print(main_thread(given.only, given.contender, given.rounds))
        return
    for name in given.only.split(","):
        found = {}
        for contender, settings in SETTINGS.items():
            asked = ["--only", name, "--rounds", str(given.rounds), "--contender", contender]
            command = [sys.executable, __file__, *asked]
            environment = {**os.environ, **settings}
            found[contender] = float(subprocess.check_output(command, text=True, env=environment))
        ratio = found["torch"] / found["numpy"]
        print(f"{name}: torch {found['torch']:.1f} ms, numpy {found['numpy']:.1f} ms, {ratio:.2f}")


if __name__ == "__main__":
    main()
