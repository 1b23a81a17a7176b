"""The gradient of every sample row on the backend openvino against NumPy: same, refused or else.

With its sizes, and with symbols for them.

    python tests/benchmarks/openvino_sweep.py [--first 0]

Where OpenVINO ends the process, `--first` goes on after the sample that was printed last.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from op_samples import SAMPLES  # noqa: E402  # the helpers' folder is no package
from openvino_cases import judge  # noqa: E402


def main() -> None:
    """Judge all samples; print those that are neither the same nor refused, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    counts: Counter[str] = Counter()
    for index in range(parser.parse_args().first, len(SAMPLES)):
        print(f"\r{index} {SAMPLES[index]}"[:100].ljust(100), end="", file=sys.stderr, flush=True)
        for symbolic in (False, True):
            outcome = judge(SAMPLES[index], symbolic)
            counts[outcome if outcome in ("same", "refused") else "other"] += 1
            if outcome not in ("same", "refused"):
                where = f"{index} {SAMPLES[index]}{', symbolic' * symbolic}"
                print(f"\n{where}: {outcome}", flush=True)
    print(f"\n{dict(counts)}")


if __name__ == "__main__":
    main()
