"""The forward runs that finite differences are taken of; nothing of onnxgrad runs here."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import onnxruntime
from onnx.reference import ReferenceEvaluator
from sweep_cases import Arrays, is_float, widened
from sweep_slopes import (
    COARSE_STEPS,
    FINE_STEPS,
    INFINITE,
    JUMP,
    KINK,
    SHAPE,
    Expected,
    differences,
)


def expected_slopes(
    model: Any, feeds: Arrays, source: str, target: str
) -> tuple[Expected | None, str, Arrays]:
    """Difference the output by one input, at a point beside it where the point is on a kink.

    Gives the differences, the reason why not (at the point given) and the feeds.
    """
    expected = _differences(model, feeds, source, target)
    if isinstance(expected, Expected):
        return expected, "", feeds
    if expected in (KINK, JUMP, SHAPE, INFINITE):
        for moved in _beside(feeds, source):
            beside = _differences(model, moved, source, target)
            if isinstance(beside, Expected) and _declares(model, target, beside.cotangent.shape):
                return beside, expected, moved
    return None, expected, feeds


def session_options() -> Any:
    """Give options for one thread and no messages."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return options


def _differences(model: Any, feeds: Arrays, source: str, target: str) -> Expected | str:
    reason = ""
    for forward, point, steps in _runs(model, feeds):
        try:
            return differences(forward, point, source, target, steps)
        except Exception as error:  # whatever onnx.reference or onnxruntime raise
            reason = reason or f"no forward run: {type(error).__name__}: {error}"
    return " ".join(reason.split())[:160]


def _runs(
    model: Any, feeds: Arrays
) -> Iterator[tuple[Callable[[Arrays], Arrays], Arrays, tuple[float, ...]]]:
    """Yield onnx.reference in float64, then, where that fails, what runs in the types given."""
    names = [o.name for o in model.graph.output]
    dtypes = {k: a.dtype for k, a in feeds.items() if is_float(a)}

    evaluator = cache(lambda: ReferenceEvaluator(model))
    session = cache(
        lambda: onnxruntime.InferenceSession(model.SerializeToString(), session_options())
    )

    def reference(moved: Arrays) -> Arrays:
        return dict(zip(names, evaluator().run(None, moved), strict=True))

    def runtime(moved: Arrays) -> Arrays:
        return dict(zip(names, session().run(None, moved), strict=True))

    def narrowed(moved: Arrays) -> Arrays:
        return {k: a.astype(dtypes[k]) if k in dtypes else a for k, a in moved.items()}

    trusted = not _divides_by_the_plain_sum(model.graph.node[0])
    if trusted:
        yield reference, widened(feeds), FINE_STEPS
    if any(dtype.itemsize == 2 for dtype in dtypes.values()):
        return  # too coarse for differences
    if trusted:
        yield lambda moved: reference(narrowed(moved)), feeds, COARSE_STEPS
    yield lambda moved: runtime(narrowed(moved)), feeds, COARSE_STEPS


def _divides_by_the_plain_sum(node: Any) -> bool:
    """Tell where onnx.reference is wrong: it divides by Σx, not by Σ|x|, where p is 1."""
    return node.op_type == "LpNormalization" and any(
        a.name == "p" and a.i == 1 for a in node.attribute
    )


def _beside(feeds: Arrays, source: str) -> Iterator[Arrays]:
    """Move each element of one input by 0.01 to 0.03: to either side, all up, all down."""
    rng = np.random.default_rng(7)
    step = rng.uniform(0.01, 0.03, feeds[source].shape)
    for sign in (rng.choice([-1, 1], step.shape), 1, -1):
        yield feeds | {source: np.asarray(feeds[source] + sign * step, feeds[source].dtype)}


def _declares(model: Any, target: str, shape: tuple[int, ...]) -> bool:
    """Tell whether an output may have a shape."""
    (declared,) = [o.type.tensor_type.shape for o in model.graph.output if o.name == target]
    sizes = [d.dim_value if d.HasField("dim_value") else None for d in declared.dim]
    return all(size in (None, actual) for size, actual in zip(sizes, shape, strict=False))
