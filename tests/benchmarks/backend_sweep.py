"""The gradient of every sample row on a backend against NumPy: same, refused or else.

With its sizes, and with symbols for them.

    python tests/benchmarks/backend_sweep.py openvino [--first 0] [--chains]

Where a backend ends the process, `--first` goes on after the sample that was printed last.
`--chains` lets numba compile chains of however few elements, and no graph as one function.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from backend_cases import judge  # noqa: E402
from op_samples import SAMPLES  # noqa: E402  # the helpers' folder is no package


def let_chains_be_short() -> None:
    """Fuse what is small, too, in place of compiling whole graphs."""
    from onnxgrad.backends import compiled  # it needs numba
    from onnxgrad.backends.compiled import elementwise

    setattr(elementwise, "_LEAST", 0)  # noqa: B010  # of a module
    setattr(compiled, "compile_small", lambda graph: None)  # noqa: B010


def main() -> None:
    """Judge all samples; print those that are neither the same nor refused, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--chains", action="store_true")
    given = parser.parse_args()
    if given.chains:
        let_chains_be_short()
    counts: Counter[str] = Counter()
    for index in range(given.first, len(SAMPLES)):
        print(f"\r{index} {SAMPLES[index]}"[:100].ljust(100), end="", file=sys.stderr, flush=True)
        for symbolic in (False, True):
            outcome = judge(SAMPLES[index], given.backend, symbolic)
            counts[outcome if outcome in ("same", "refused") else "other"] += 1
            if outcome not in ("same", "refused"):
                where = f"{index} {SAMPLES[index]}{', symbolic' * symbolic}"
                print(f"\n{where}: {outcome}", flush=True)
    print(f"\n{dict(counts)}")


if __name__ == "__main__":
    main()
