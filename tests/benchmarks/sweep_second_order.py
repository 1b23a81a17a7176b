"""The gradient of <vector, gradient> by inputs and cotangent, against differences of the gradient.

All in float64 on the NumPy backend; the gradient itself is what the first-order sweep checks.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sweep_cases import Arrays, is_float, is_float_output, slot_of, widened, with_constants
from sweep_report import Key, Outcome
from sweep_slopes import Expected, differences

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.passes.precision import with_dtype


def sweep_second_order(
    name: str, model: Any, feeds: Arrays, done: frozenset[Key]
) -> Iterator[Outcome]:
    """Yield the outcomes of every float input and output of one case, by all float inputs."""
    assert not done, "nothing here is pending"
    node = model.graph.node[0]
    outputs = [o.name for o in model.graph.output if is_float_output(o)]
    inputs = [k for k, a in feeds.items() if is_float(a) and a.size]
    for source in inputs:
        others = {k: a for k, a in feeds.items() if k != source}
        forms = {
            "given": (model, feeds),
            "constants": (with_constants(model, others), {source: feeds[source]}),
        }
        for target in outputs:
            slot = (name, node.op_type, slot_of(node.input, source), slot_of(node.output, target))
            for form, (variant, given) in forms.items():
                names = {k: slot_of(node.input, k) for k in inputs if k in given}
                for by, verdict, detail in judged(variant, widened(given), source, target, names):
                    yield _outcome(slot, form, verdict, detail, by)


def _outcome(
    slot: tuple[str, str, str, str], form: str, verdict: str, detail: str, by: str
) -> Outcome:
    reason = detail if verdict == "not judged" else ""
    return Outcome(*slot, form, verdict, detail, reason, by=by)


def judged(
    model: Any, feeds: Arrays, source: str, target: str, names: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield verdict and detail for the cotangent and each input of `names`."""
    gradient, cotangent = f"{source}.grad", f"{target}.grad"
    try:
        graph = og.load(model)
        for dtype in (np.float32, np.float64):  # what takes no float64 shall not stay in float16
            graph = with_dtype(graph, np.dtype(dtype))
        first = og.vjp(graph, [target], [source], allow_unused=True)
        compiled = og.compile(first)
        feeds = feeds | {cotangent: _cotangent(og.compile(graph).run(feeds)[target])}
        compiled.run(feeds)
    except Exception as error:
        yield "*", "not judged", f"no first order: {type(error).__name__}: {error}"[:150]
        return

    narrow = any(_is_single(v) for node in first.nodes() for v in node.writes())
    unit = float(np.finfo(np.float32).eps) if narrow else 0.0  # bodies may say where to round

    def run(moved: Arrays) -> Arrays:
        return {gradient: compiled.run(moved)[gradient]}

    for by, label in [*names.items(), (cotangent, "cotangent")]:
        if not feeds[by].size:
            continue
        try:
            expected = differences(run, feeds, by, gradient, unit=unit)
        except Exception as error:
            yield label, "not judged", f"{type(error).__name__}: {error}"[:150]
            continue
        if isinstance(expected, str):
            yield label, "not judged", expected
            continue
        yield label, *_judge(first, feeds, gradient, by, expected)


def _is_single(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.dtype == np.float32


def _cotangent(output: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(5)
    drawn = rng.uniform(0.5, 1.5, output.shape) * rng.choice([-1, 1], output.shape)
    return np.asarray(drawn)


def _judge(
    first: Graph, feeds: Arrays, gradient: str, by: str, expected: Expected
) -> tuple[str, str]:
    """Differentiate <vector, gradient> and compare with the differences."""
    result = f"{by}.second"
    try:
        second = og.vjp(first, [gradient], [by], names={by: result}, allow_unused=True)
    except (og.UnsupportedOpError, og.GradientError) as error:
        return "refused", str(error)[:200]
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:200]
    (seed,) = (v.name for v in second.inputs if v.name not in feeds)
    try:
        actual = og.compile(second).run(feeds | {seed: expected.cotangent})[result]
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"[:200]
    if actual.shape != feeds[by].shape:
        return "wrong", f"shape {actual.shape} for {feeds[by].shape}"
    gap = expected.gap(actual, rounding=1e-6)
    if not gap <= max(1e-4, 3 * expected.noise):
        return "wrong", f"{gap:.2%} off, instead of {expected.slopes}"
    return "right", ""
