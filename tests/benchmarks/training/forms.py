"""Training steps by how the forms of their gradients are chosen: by rule, by costs, by timing.

Each runs in a process of its own, in turns; medians are compared with the first of its kind. What
tuning chose is printed, and how long it took; its winners go to a cache that is thrown away. With
one thread the processor's time is taken.

Run: python tests/benchmarks/training/forms.py [--only W1,W2,W3,W4,W5] [--rounds 11] [--threads 1]
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from contenders import BY_FORM  # noqa: E402  # its folder is no package
from contenders.ours import derived  # noqa: E402
from processes import Process  # noqa: E402
from workload import job  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

import onnxgrad as og  # noqa: E402

KINDS = {"onnxruntime": "onnxruntime", "numpy": "numpy", "file": "file, default forms"}
"""What contenders are compared with, by how their names begin."""


def settle(threads: int) -> None:
    """Take as many cores and threads as the contenders, so that they find what is tuned here."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def measure(name: str, rounds: int, threads: int) -> None:
    """Tune here, let the contenders take turns, and print their medians."""
    work = WORKLOADS[name]
    step = derived(job(work, work.size, threads))
    for backend, options in (("onnxruntime", {"threads": threads}), ("numpy", {})):
        print(og.compile(step, backend, tune=True, **options).tuning, flush=True)
    running = {c: Process(name, c, work.size, threads) for c in BY_FORM}
    for process in running.values():
        process.begin()
    for _ in range(rounds):
        for process in running.values():
            process.turn()
    for process in running.values():
        process.end()
    medians = {c: float(np.median(p.seconds)) * 1e3 for c, p in running.items()}
    for contender, ms in medians.items():
        first = next(f for start, f in KINDS.items() if contender.startswith(start))
        print(f"{name} {contender:28} {ms:9.3f} ms  {medians[first] / ms:.3f}", flush=True)


def main() -> None:
    """Measure the workloads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="W1,W2,W3,W4,W5", help="comma-separated workloads")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    settle(given.threads)
    with TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        for name in given.only.split(","):
            measure(name, given.rounds, given.threads)


if __name__ == "__main__":
    main()
