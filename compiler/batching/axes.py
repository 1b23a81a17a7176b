"""Batching of operators along axes: what counts axes from the front counts one further."""

from collections.abc import Sequence
from typing import Any

from ..graph.ir import Node, Value
from ..graph.types import TensorType
from ..standard.schemas import attribute
from ..standard.traits import REDUCTIONS
from .registry import Batch, Operand, Result, batching, required


def shifted(batch: Batch, axes: Value) -> Value:
    """Shift a tensor of axes by the batch axis; negative ones count from the end and stay."""
    op = batch.op
    return op.Where(op.Less(axes, 0), axes, op.Add(axes, 1))


def _only_first_batched(operands: Sequence[Operand | None]) -> bool:
    return not any(o is not None and o.batched for o in operands[1:])


@batching("Softmax", "LogSoftmax", "Hardmax", "ArgMax", "ArgMin", "LpNormalization")
@batching("TopK", "LayerNormalization", "RMSNormalization")
def axis_attribute(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """axis → axis + 1, where it is not negative"""
    if not _only_first_batched(operands):
        return None
    axis = attribute(node, "axis")
    attributes = node.attributes | {"axis": axis + (axis >= 0)}
    inputs = [None if o is None else o.value for o in operands]
    return batch.op.emit(node.op_type, *inputs, outputs=len(node.outputs), **attributes)


@batching("SoftmaxGrad", "LogSoftmaxGrad", composite=True)
def axis_composite(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """axis → axis + 1, where it is not negative"""
    inputs = [batch.spread(o) for o in operands if o is not None]
    axis = attribute(node, "axis")
    attributes = node.attributes | {"axis": axis + (axis >= 0)}
    return batch.op.composite(node.op_type, *inputs, types=[inputs[0].type], **attributes)


@batching("CumSum", "CumProd")
def cumulative(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The axis is an input"""
    x, axis = required(operands, 2)
    if axis.batched:
        return None
    return batch.op.emit(node.op_type, x.value, shifted(batch, axis.value), **node.attributes)


@batching(*REDUCTIONS)
def reduction(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """No axes are all axes but the batch axis"""
    x, axes = (*operands, None)[:2]
    if x is None or x.rank is None or axes is not None and axes.batched:
        return None
    op = batch.op
    count = 0 if axes is None else axes.value.shape[0] if axes.value.shape else None
    if not isinstance(count, int):
        return None
    if axes is not None and count:
        chosen = shifted(batch, axes.value)
    elif attribute(node, "noop_with_empty_axes"):
        return op.emit(node.op_type, x.value, **node.attributes)
    elif x.rank:
        chosen = op.constant(list(range(1, x.rank + 1)), "int64")
    else:  # each scalar is reduced over an axis of its own
        wide = op.Unsqueeze(x.value, [1])
        settings: dict[str, Any] = node.attributes | {"keepdims": 0}
        return op.emit(node.op_type, wide, [1], **settings)
    return op.emit(node.op_type, x.value, chosen, **node.attributes)


@batching("ReduceToShape", composite=True)
def reduce_to_shape(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """The batch axis stands before the shape; an example of lower rank than dy keeps its axes"""
    (dy, shape), total = required(operands, 2), node.output()
    if shape.batched or dy.rank is None or total.shape is None:
        return None
    op = batch.op
    ones = [1] * (dy.rank - len(total.shape))
    padded = op.Concat(batch.size, op.constant(ones, "int64"), shape.value, axis=0)
    batch_dim = dy.value.shape[0] if dy.value.shape else 1
    type_ = TensorType(total.dtype, (batch_dim, *ones, *total.shape))
    wide = op.composite("ReduceToShape", dy.value, padded, types=[type_])
    if not ones:
        return wide
    return op.Reshape(wide, op.Concat(batch.size, shape.value, axis=0), allowzero=1)


@batching("Concat")
def concat(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """All operands get the batch axis"""
    inputs = [batch.spread(o) for o in operands if o is not None]
    axis = node.attributes["axis"]
    return batch.op.Concat(*inputs, axis=axis + (axis >= 0))


@batching("Split")
def split(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """axis → axis + 1, where it is not negative"""
    if not _only_first_batched(operands):
        return None
    axis = attribute(node, "axis")
    attributes = node.attributes | {"axis": axis + (axis >= 0)}
    inputs = [None if o is None else o.value for o in operands]
    return batch.op.Split(*inputs, outputs=len(node.outputs), **attributes)


@batching("Trilu")
def trilu(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """It works on the last two axes"""
    if not _only_first_batched(operands):
        return None
    inputs = [None if o is None else o.value for o in operands]
    return batch.op.Trilu(*inputs, **node.attributes)
