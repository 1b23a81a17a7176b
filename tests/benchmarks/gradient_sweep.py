"""Gradients of every single-operator case of ONNX's own suite, against finite differences.

For each case, float input and float output: the gradient of <cotangent, output> by the input, in
the form given (all inputs at run time) and with the other inputs as constants, against central
differences of onnx.reference in float64 along random directions.

With --second-order: the gradient of <vector, that gradient> by each float input and by the
cotangent, all in float64, against central differences of that gradient.

Run: python tests/benchmarks/gradient_sweep.py [--second-order] [--operators Conv,Pad]
     [--json sweep.json]
"""

import argparse
import json
import sys
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out

from sweep_cases import single_operator_cases  # noqa: E402
from sweep_first_order import sweep_case  # noqa: E402
from sweep_report import report  # noqa: E402
from sweep_second_order import sweep_second_order  # noqa: E402


def main() -> int:
    """Run the sweep and print the scoreboard; exit 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operators", help="comma-separated operators; all without it")
    parser.add_argument("--second-order", action="store_true", help="differentiate gradients")
    parser.add_argument("--json", help="write every outcome to this file")
    parser.add_argument("--verbose", action="store_true", help="print what is not right")
    options = parser.parse_args()
    chosen = set(options.operators.split(",")) if options.operators else None
    sweep = sweep_second_order if options.second_order else sweep_case
    outcomes = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in single_operator_cases(chosen):
            for outcome in sweep(*case):
                outcomes.append(outcome)
                if options.verbose and outcome.verdict != "right":
                    print(*asdict(outcome).values(), flush=True)
    report(outcomes)
    if options.json:
        with open(options.json, "w") as file:
            json.dump([asdict(o) for o in outcomes], file, indent=1)
    return int(any(o.verdict == "wrong" for o in outcomes))


if __name__ == "__main__":
    sys.exit(main())
