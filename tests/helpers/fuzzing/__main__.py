"""Fuzz: make fuzz, or python -m fuzzing [--minutes 60] [--seed 0] [--law ABCDEFGHI]."""

import argparse
import os
import sys
from pathlib import Path

from .campaign import run
from .laws import LAWS


def main() -> int:
    """Read the command line, fuzz, print what was found."""
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--law", default="".join(LAWS), help="letters of the laws")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"))
    given = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # the workers read it when they start
    findings = run(given.law, given.seed, 60 * given.minutes, given.processes, given.out)
    print(findings.table())
    for title, counter in (("refused", findings.reasons), ("found", findings.signatures)):
        for text, count in counter.most_common(40):
            print(f"{title} {count:>6} times  {text}")
    return 1 if findings.signatures else 0


if __name__ == "__main__":
    sys.exit(main())
