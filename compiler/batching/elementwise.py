"""Batching of elementwise operators: operands of lower rank get axes of 1 after the batch axis."""

from collections.abc import Sequence

from ..graph.ir import Node, Value
from ..standard.traits import ELEMENTWISE
from .registry import Batch, Operand, Result, Shared, batching, required

_APART = {"CastLike", "Clip", "PRelu", "SwiGLU"}
"""Elementwise operators that do not broadcast their inputs to a common shape."""


@batching(*ELEMENTWISE - _APART)
def elementwise(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """f([B, …x], y) with x and y aligned at the right"""
    ranks = [o.rank for o in operands if o is not None]
    if any(r is None for r in ranks):
        return None
    rank = max(r for r in ranks if r is not None)
    inputs = [None if o is None else aligned(batch, o, rank) for o in operands]
    return batch.op.emit(node.op_type, *inputs, **node.attributes)


@batching("PRelu")
def leaky(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The slope is broadcast to x, never x to the slope: x gets the batch axis"""
    x, slope = required(operands, 2)
    if x.rank is None or slope.rank is None:
        return None
    return batch.op.PRelu(batch.spread(x), aligned(batch, slope, x.rank))


@batching("Clip")
def clip(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Bounds are scalars; those of each example are a Max and a Min"""
    x, *bounds = operands
    if x is None or x.rank is None:
        return None
    if not any(o is not None and o.batched for o in bounds):
        return batch.op.Clip(x.value, *(None if o is None else o.value for o in bounds))
    y = batch.spread(x)
    for bound, emit in zip(bounds, (batch.op.Max, batch.op.Min), strict=False):
        if bound is not None:
            y = emit(y, aligned(batch, bound, x.rank))
    return y


@batching("SwiGLU")
def swish_gated(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Both inputs have one shape"""
    a, b = required(operands, 2)
    return batch.op.SwiGLU(batch.spread(a), batch.spread(b), **node.attributes)


@batching("ChosenGradient", "GeluGrad", "StopGradient", "StraightThrough", composite=True)
def elementwise_composite(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """A composite of operands of one shape"""
    inputs = [batch.spread(o) for o in operands if o is not None]
    return batch.op.composite(node.op_type, *inputs, types=[inputs[0].type], **node.attributes)


@batching("CastLike")
def cast_like(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Only the dtype of the second operand matters"""
    x, like = required(operands, 2)
    y = batch.op.CastLike(x.value, like.value, **node.attributes)
    return y if x.batched else Shared(y)


def aligned(batch: Batch, operand: Operand, rank: int) -> Value:
    """Insert axes of 1 after the batch axis, so that examples have a common rank."""
    missing = rank - (operand.rank or 0)
    if not operand.batched or not missing:
        return operand.value
    return batch.op.Unsqueeze(operand.value, list(range(1, 1 + missing)))
