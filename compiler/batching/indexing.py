"""Batching of operators that read and write by index."""

from collections.abc import Sequence

from ..graph.ir import Node
from ..standard.schemas import attribute
from .registry import Batch, Operand, Result, batching, required


@batching("Gather")
def gather(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Batched data: axis + 1. Batched indices: their batch axis moves to the front."""
    x, indices = required(operands, 2)
    if x.rank is None or indices.rank is None or x.batched and indices.batched:
        return None
    axis = attribute(node, "axis")
    axis += x.rank if axis < 0 else 0
    op = batch.op
    if x.batched:
        return op.Gather(x.value, indices.value, axis=axis + 1)
    y = op.Gather(x.value, indices.value, axis=axis)
    rest = [k for k in range(x.rank + indices.rank) if k != axis]
    return op.Transpose(y, perm=[axis, *rest]) if axis else y


@batching("GatherElements", "ScatterElements")
def elements(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """axis → axis + 1, with the batch axis on every operand"""
    axis = attribute(node, "axis")
    attributes = node.attributes | {"axis": axis + (axis >= 0)}
    inputs = [batch.spread(o) for o in operands if o is not None]
    return batch.op.emit(node.op_type, *inputs, **attributes)


@batching("GatherND")
def gather_nd(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """batch_dims + 1, with the batch axis on both operands"""
    attributes = node.attributes | {"batch_dims": attribute(node, "batch_dims") + 1}
    inputs = [batch.spread(o) for o in operands if o is not None]
    return batch.op.GatherND(*inputs, **attributes)
