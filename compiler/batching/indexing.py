"""Batching of operators that read and write by index."""

from collections.abc import Sequence

from ..graph.ir import Node
from .registry import Batch, Operand, Result, batching


@batching("Gather")
def gather(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Batched data: axis + 1. Batched indices: their batch axis moves to the front."""
    x, indices = operands
    assert x is not None and indices is not None
    if x.rank is None or indices.rank is None or x.batched and indices.batched:
        return None
    axis = node.attributes.get("axis", 0)
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
    axis = node.attributes.get("axis", 0)
    attributes = node.attributes | {"axis": axis + (axis >= 0)}
    inputs = [batch.spread(o) for o in operands if o is not None]
    return batch.op.emit(node.op_type, *inputs, **attributes)


@batching("GatherND")
def gather_nd(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """batch_dims + 1, with the batch axis on both operands"""
    attributes = node.attributes | {"batch_dims": node.attributes.get("batch_dims", 0) + 1}
    inputs = [batch.spread(o) for o in operands if o is not None]
    return batch.op.GatherND(*inputs, **attributes)
