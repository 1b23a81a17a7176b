"""Gradients of every single-operator case of ONNX's own suite, against finite differences.

For each case, float input and float output: the gradient of <cotangent, output> by the input, in
the form given (all inputs at run time) and with the other inputs as constants, against central
differences of onnx.reference in float64 (in the types given where it cannot, and of onnxruntime
where onnx.reference cannot run the case) along random directions. Where the point given is on a
kink or a jump, the input is moved by 0.01 to 0.03 and judged there.

With --rivals: onnx-ad and onnxsim's graph_grad on the same cases, points and cotangents.

With --second-order: the gradient of <vector, that gradient> by each float input and by the
cotangent, all in float64, against central differences of that gradient.

Run: make sweep, make rivals, or python tests/benchmarks/gradient_sweep.py [--rivals]
     [--second-order] [--operators Conv,Pad] [--json sweep.json]
"""

import argparse
import json
import sys
import warnings
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "helpers")]  # python -P leaves them out

from isolated import judge_all  # noqa: E402
from sweep_cases import single_operator_cases  # noqa: E402
from sweep_first_order import sweep_case  # noqa: E402
from sweep_report import print_points, print_unclean, scoreboard  # noqa: E402
from sweep_second_order import sweep_second_order  # noqa: E402
from sweep_tools import ONNXGRAD  # noqa: E402

SECONDS = 300
"""How long a tool may take; the differences may take longer."""


def main() -> int:
    """Run the sweep and print the scoreboard; exit 1 if anything of ours is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operators", help="comma-separated operators; all without it")
    parser.add_argument("--second-order", action="store_true", help="differentiate gradients")
    parser.add_argument("--rivals", action="store_true", help="onnx-ad and onnxsim, too")
    parser.add_argument("--json", help="write every outcome to this file")
    options = parser.parse_args()
    chosen = set(options.operators.split(",")) if options.operators else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how the suite makes its cases
        cases = list(single_operator_cases(chosen))
    outcomes = judge_all(_sweep(options.second_order, options.rivals), cases, SECONDS)
    print_unclean(outcomes)
    print_points([o for o in outcomes if o.tool == ONNXGRAD.name])
    print(scoreboard(outcomes))
    if options.json:
        with open(options.json, "w") as file:
            json.dump([asdict(o) for o in outcomes], file, indent=1)
    return int(any(o.verdict == "wrong" and o.tool == ONNXGRAD.name for o in outcomes))


def _sweep(second_order: bool, rivals: bool) -> Any:  # a Judge of outcomes
    if second_order:
        return sweep_second_order
    if not rivals:
        return partial(sweep_case, tools=(ONNXGRAD,))
    from rival_onnx_ad import ONNX_AD  # only `make rivals` installs these two
    from rival_onnxsim import ONNXSIM

    return partial(sweep_case, tools=(ONNXGRAD, ONNX_AD, ONNXSIM))


if __name__ == "__main__":
    sys.exit(main())
