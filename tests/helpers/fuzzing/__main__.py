"""Fuzz: make fuzz, or python -m fuzzing [--graphs 20000] [--seed 0] [--law ABCDEFGHI]."""

import argparse
import math
import os
import sys
from pathlib import Path

from .campaign import run
from .laws import LAWS


def main() -> int:
    """Read the command line, fuzz, print what was found."""
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("--graphs", type=int, help="how many for each law; else as time allows")
    parser.add_argument("--minutes", type=float, help="the most; 60 where no graphs are counted")
    parser.add_argument("--seed", type=int, default=0, help="the first seed, to go on from another")
    parser.add_argument("--law", default="".join(LAWS), help="letters of the laws")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"))
    given = parser.parse_args()
    count = sys.maxsize - given.seed if given.graphs is None else given.graphs
    minutes = given.minutes or (60.0 if given.graphs is None else math.inf)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # the workers read it when they start
    seeds = range(given.seed, given.seed + count)
    findings = run(given.law, seeds, 60 * minutes, given.jobs, given.out)
    print(findings.report())
    return 1 if findings.signatures else 0


if __name__ == "__main__":
    sys.exit(main())
