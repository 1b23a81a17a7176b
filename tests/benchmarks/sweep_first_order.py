"""The gradient of each output by each input, against differences of onnx.reference in float64."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator
from sweep_cases import Arrays, is_float, is_float_output, slot_of, widened, with_constants
from sweep_report import Outcome
from sweep_slopes import Expected, differences

import onnxgrad as og
from onnxgrad.compiler.precision import with_dtype

REFERENCE_IS_WRONG = {
    "test_l1normalization_axis_last": "onnx.reference divides by Σx, not by Σ|x|, where p is 1"
}
"""Cases whose differences say nothing, with the reason."""


def sweep_case(name: str, model: Any, feeds: Arrays) -> Iterator[Outcome]:
    """Yield the outcome of every float input and output of one case, in both forms."""
    node = model.graph.node[0]
    outputs = [o.name for o in model.graph.output if is_float_output(o)]
    inputs = [k for k, a in feeds.items() if is_float(a) and a.size]
    if not inputs or not outputs:
        return
    try:
        evaluator = ReferenceEvaluator(model)
    except RuntimeError as error:  # the reference lacks the deprecated Scatter
        reason = str(error).splitlines()[0][:150]
        yield Outcome(name, node.op_type, "-", "-", "reference", "unusable", reason)
        return
    order = [o.name for o in model.graph.output]

    def forward(moved: Arrays) -> Arrays:
        return dict(zip(order, evaluator.run(None, moved), strict=True))

    for source in inputs:
        for target in outputs:
            slot = (name, node.op_type, slot_of(node.input, source), slot_of(node.output, target))
            if name in REFERENCE_IS_WRONG:
                yield Outcome(*slot, "reference", "unusable", REFERENCE_IS_WRONG[name])
                continue
            try:
                expected = differences(forward, widened(feeds), source, target)
            except Exception as error:
                yield Outcome(
                    *slot, "reference", "unusable", f"{type(error).__name__}: {error}"[:150]
                )
                continue
            if isinstance(expected, str):
                yield Outcome(*slot, "reference", "unusable", expected)
                continue
            for form in ("given", "constants"):
                verdict, detail = judge(model, feeds, source, target, form, expected)
                yield Outcome(*slot, form, verdict, detail)


def judge(
    model: Any, feeds: Arrays, source: str, target: str, form: str, expected: Expected
) -> tuple[str, str]:
    """Differentiate the model and compare with the differences."""
    given = dict(feeds)
    if form == "constants":
        model = with_constants(model, {k: a for k, a in feeds.items() if k != source})
        given = {source: feeds[source]}
    try:
        graph = og.vjp(og.load(model), [target], [source], allow_unused=True)
    except (og.UnsupportedOpError, og.GradientError) as error:
        return "refused", str(error)[:200]
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:200]
    if any(is_float(a) and a.dtype.itemsize == 2 for a in feeds.values()):
        graph = with_dtype(graph, np.dtype(np.float32))  # half precision's rounding is not judged
        given = {k: a.astype(np.float32) if is_float(a) else a for k, a in given.items()}
    (seed,) = [v for v in graph.inputs if v.name == f"{target}.grad"]
    try:
        results = og.compile(graph).run(given | {seed.name: expected.cotangent.astype(seed.dtype)})
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:200]
    gradient = results[f"{source}.grad"].astype(np.float64)
    if gradient.shape != feeds[source].shape:
        return "wrong", f"shape {gradient.shape} for {feeds[source].shape}"
    slopes = [float((gradient * d).sum()) for d in expected.directions]
    scale = max(1e-2, float(np.abs(expected.slopes).max()), float(np.abs(gradient).max()))
    gap = float(np.abs(np.subtract(slopes, expected.slopes)).max()) / scale
    tolerance = max(2e-3, 3 * expected.noise)
    if not gap <= tolerance:
        return "wrong", f"{gap:.2%} off: {slopes} instead of {expected.slopes}"
    return "right", ""
