"""The gradient of each output by each input, against differences of onnx.reference in float64."""

from collections.abc import Callable, Iterator
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


Tool = Callable[[Any, Arrays, str, str, np.ndarray], np.ndarray]
"""`tool(model, feeds, source, target, cotangent)` gives the gradient by the source, in float64."""

REFUSALS = (og.UnsupportedOpError, og.GradientError, NotImplementedError)


def sweep_case(name: str, model: Any, feeds: Arrays, tool: Tool | None = None) -> Iterator[Outcome]:
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
                verdict, detail = judge(tool or ours, model, feeds, source, target, form, expected)
                yield Outcome(*slot, form, verdict, detail)


def judge(
    tool: Tool, model: Any, feeds: Arrays, source: str, target: str, form: str, expected: Expected
) -> tuple[str, str]:
    """Let a tool differentiate the model and compare with the differences."""
    given = dict(feeds)
    if form == "constants":
        model = with_constants(model, {k: a for k, a in feeds.items() if k != source})
        given = {source: feeds[source]}
    try:
        gradient = tool(model, given, source, target, expected.cotangent)
    except REFUSALS as error:
        return "refused", str(error)[:200]
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:200]
    if gradient.shape != feeds[source].shape:
        return "wrong", f"shape {gradient.shape} for {feeds[source].shape}"
    slopes = [float((gradient * d).sum()) for d in expected.directions]
    scale = max(1e-2, float(np.abs(expected.slopes).max()), float(np.abs(gradient).max()))
    gap = float(np.abs(np.subtract(slopes, expected.slopes)).max()) / scale
    tolerance = max(2e-3, 3 * expected.noise)
    if tool is not ours and is_narrow(feeds):
        tolerance = max(5e-2, tolerance)  # a rival runs these in half precision
    if not gap <= tolerance:
        return "wrong", f"{gap:.2%} off: {slopes} instead of {expected.slopes}"
    return "right", ""


def ours(model: Any, feeds: Arrays, source: str, target: str, cotangent: np.ndarray) -> np.ndarray:
    """Differentiate by onnxgrad and run on its NumPy backend, half precision in float32."""
    graph = og.vjp(og.load(model), [target], [source], allow_unused=True)
    if is_narrow(feeds):
        graph = with_dtype(graph, np.dtype(np.float32))
        feeds = {k: a.astype(np.float32) if is_float(a) else a for k, a in feeds.items()}
    (seed,) = [v for v in graph.inputs if v.name == f"{target}.grad"]
    results = og.compile(graph).run(feeds | {seed.name: cotangent.astype(seed.dtype)})
    return np.asarray(results[f"{source}.grad"], np.float64)


def is_narrow(feeds: Arrays) -> bool:
    """Tell whether a case has half-precision inputs."""
    return any(is_float(a) and a.dtype.itemsize == 2 for a in feeds.values())
