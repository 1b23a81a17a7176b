"""The gradient sweep over ONNX's own suite with another tool: onnx-ad 0.3 in our place.

The cases, the finite differences and the verdicts are those of gradient_sweep.py; the derivative
models that onnx-ad writes run on onnx.reference.

Run: make rivals, or python tests/benchmarks/rival_sweep.py [--operators Conv,Pad] (needs onnx-ad)
"""

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ad  # pyright: ignore[reportMissingImports]  # only `make rivals` installs it
from onnx.reference import ReferenceEvaluator

sys.path.insert(0, str(Path(__file__).parent))  # python -P leaves it out

from sweep_cases import Arrays, single_operator_cases  # noqa: E402
from sweep_first_order import sweep_case  # noqa: E402
from sweep_report import report  # noqa: E402


def by_onnx_ad(
    model: Any, feeds: Arrays, source: str, target: str, cotangent: np.ndarray
) -> np.ndarray:
    """Differentiate by onnx-ad; its seeds and results have a trailing axis of directions.

    Its derivative model takes the primal outputs as inputs where it needs them.
    """
    try:
        derivative = onnx_ad.reverse(
            model, inputs=[source], outputs=[target], prefix="adj_", layout="onnx"
        )
    except onnx_ad.UnsupportedOperator as error:
        raise NotImplementedError(str(error)) from None
    evaluator = ReferenceEvaluator(derivative)
    seed = next(i for i in derivative.graph.input if i.name == f"adj_{target}")
    dtype = feeds[source].dtype
    missing = {i.name for i in derivative.graph.input} - set(feeds) - {seed.name}
    known = dict(feeds)
    if missing:
        names = [o.name for o in model.graph.output]
        primal = dict(zip(names, ReferenceEvaluator(model).run(None, feeds), strict=True))
        known |= {name: primal[name] for name in missing if name in primal}
    (gradient,) = evaluator.run(
        [f"adj_{source}"], known | {seed.name: cotangent[..., None].astype(dtype)}
    )
    return np.asarray(gradient, np.float64)[..., 0]


def main() -> None:
    """Run the sweep and print the scoreboard."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operators", help="comma-separated operators; all without it")
    options = parser.parse_args()
    chosen = set(options.operators.split(",")) if options.operators else None
    sweep = partial(sweep_case, tool=by_onnx_ad)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        report([o for case in single_operator_cases(chosen) for o in sweep(*case)])


if __name__ == "__main__":
    main()
