"""Batching of operators on shapes: the batch axis stays in front."""

from collections.abc import Sequence

from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..graph.types import Dim
from ..inference.shapes import elements_of
from ..standard.schemas import attribute
from .axes import shifted
from .registry import Batch, Operand, Result, Shared, batching, required


@batching("Shape")
def shape(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The shape of one example, the same for all"""
    (x,) = required(operands, 1)
    op = batch.op
    whole = op.Shape(x.value, start=1)
    start, end = attribute(node, "start"), node.attributes.get("end")
    if start == 0 and end is None:
        return Shared(whole)
    return Shared(op.Slice(whole, [start], [2**31 if end is None else end]))


@batching("Size")
def size(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The number of elements of one example, the same for all"""
    (x,) = required(operands, 1)
    return Shared(batch.op.ReduceProd(batch.op.Shape(x.value, start=1), keepdims=0))


@batching("Reshape")
def reshape(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The batch size stands before the target; a 0 still copies the dimension at its place"""
    x, target = required(operands, 2)
    if target.batched:
        return None
    op, elements = batch.op, elements_of(target.value)
    if elements is None or -1 not in elements:
        return op.Reshape(x.value, op.Concat(batch.size, target.value, axis=0), **node.attributes)
    sizes = _without_minus_one(op, x, target.value, elements, node)
    return op.Reshape(x.value, op.Concat(batch.size, *sizes, axis=0), allowzero=1)


def _without_minus_one(
    op: Ops, x: Operand, target: Value, elements: Sequence[Dim], node: Node
) -> list[Value]:
    """Give a target's sizes with that which a −1 in it stands for: a batch may have no elements."""
    sizes: list[Value] = [
        op.Shape(x.value, start=k + 1, end=k + 2)
        if size == 0 and not attribute(node, "allowzero")
        else op.Slice(target, [k], [k + 1])
        for k, size in enumerate(elements)
    ]
    place = list(elements).index(-1)
    others = op.Concat([1], *sizes[:place], *sizes[place + 1 :], axis=0)
    count = op.Max(op.ReduceProd(others, keepdims=1), [1])
    sizes[place] = op.Div(op.ReduceProd(op.Shape(x.value, start=1), keepdims=1), count)
    return sizes


@batching("Flatten")
def flatten(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """[B, rows, columns]"""
    (x,) = required(operands, 1)
    if x.rank is None:
        return None
    axis = attribute(node, "axis")
    axis += x.rank if axis < 0 else 0
    op = batch.op
    example = op.Shape(x.value, start=1)
    rows = op.ReduceProd(op.Slice(example, [0], [axis]), keepdims=1)
    columns = op.ReduceProd(op.Slice(example, [axis], [2**31]), keepdims=1)
    return op.Reshape(x.value, op.Concat(batch.size, rows, columns, axis=0), allowzero=1)


@batching("Squeeze", "Unsqueeze")
def unit_axes(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The axes are an input"""
    x, axes = (*operands, None)[:2]
    if x is None or axes is None or axes.batched:
        return None
    return batch.op.emit(node.op_type, x.value, shifted(batch, axes.value))


@batching("Transpose")
def transpose(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The batch axis stays in front"""
    (x,) = required(operands, 1)
    if x.rank is None:
        return None
    perm = node.attributes.get("perm") or list(range(x.rank))[::-1]
    return batch.op.Transpose(x.value, perm=[0, *(p + 1 for p in perm)])


@batching("Expand")
def expand(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Axes of 1 after the batch axis make up for a longer target"""
    x, target = required(operands, 2)
    length = target.value.shape[0] if target.value.shape else None
    if target.batched or x.rank is None or not isinstance(length, int):
        return None
    op = batch.op
    missing = max(0, length - x.rank)
    wide = op.Unsqueeze(x.value, list(range(1, 1 + missing))) if missing else x.value
    ones = op.constant([1] * max(0, x.rank - length), "int64")
    return op.Expand(wide, op.Concat([1], ones, target.value, axis=0))


@batching("Tile")
def tile(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The batch axis is repeated once"""
    x, repeats = required(operands, 2)
    if repeats.batched:
        return None
    return batch.op.Tile(x.value, batch.op.Concat([1], repeats.value, axis=0))


@batching("Slice")
def slice_(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Without axes they are those of the first dimensions"""
    x, starts, ends = required(operands, 3)
    axes, steps = (*operands[3:], None, None)[:2]
    if any(o is not None and o.batched for o in operands[1:]):
        return None
    length = starts.value.shape[0] if starts.value.shape else None
    if axes is not None:
        moved = shifted(batch, axes.value)
    elif isinstance(length, int):
        moved = batch.op.constant(list(range(1, 1 + length)), starts.value.dtype)
    else:
        return None
    step = None if steps is None else steps.value
    return batch.op.Slice(x.value, starts.value, ends.value, moved, step)


@batching("Pad")
def pad(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The batch axis is not padded"""
    x, pads = required(operands, 2)
    value, axes = (*operands[2:], None, None)[:2]
    if any(o is not None and o.batched for o in operands[1:]) or x.rank is None:
        return None
    op = batch.op
    if axes is None:
        chosen = op.constant(list(range(1, 1 + x.rank)), "int64")
    else:
        chosen = shifted(batch, axes.value)
    fill = None if value is None else value.value
    return op.Pad(x.value, pads.value, fill, chosen, **node.attributes)
