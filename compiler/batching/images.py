"""Batching of operators on images (N, C, …): the batch axis folds into N."""

from collections.abc import Sequence

from ..graph.ir import Node, Value
from ..graph.types import TensorType
from ..standard.schemas import attribute
from .registry import Batch, Operand, Result, batching, required


@batching("Conv")
def conv(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """Batched images fold into N, batched weights of shared images into the maps of each group"""
    x, w = required(operands, 2)
    (b,) = (*operands[2:], None)[:1]
    if x.rank is None or w.rank is None or x.batched and w.batched:
        return None
    op, bias = batch.op, None if b is None or b.batched else b.value
    if x.batched:
        y = batch.unfold(op.Conv(batch.fold(x.value), w.value, bias, **node.attributes), x.value)
    elif w.batched:
        y, bias = _by_each_weight(batch, node, x.value, w.value), None
    else:
        y = op.Unsqueeze(op.Conv(x.value, w.value, **node.attributes), [0])
    if b is None or bias is not None:
        return y
    spatial = list(range(3, x.rank + 1))
    return op.Add(
        y, op.Unsqueeze(b.value, [1, *spatial] if b.batched else [k - 2 for k in spatial])
    )


def _by_each_weight(batch: Batch, node: Node, x: Value, w: Value) -> Value:
    """Correlate shared images with the weights of each example: (B, group·maps, …) → (B, N, …)."""
    op, group = batch.op, attribute(node, "group")
    rank = len(w.shape or ()) - 1
    maps = op.Div(op.Shape(w, start=1, end=2), [group])
    apart = op.Reshape(
        w, op.Concat(batch.size, [group], maps, op.Shape(w, start=2), axis=0), allowzero=1
    )
    turned = op.Transpose(apart, perm=[1, 0, 2, *range(3, rank + 2)])
    count = op.Mul(op.Mul(batch.size, maps), [group])
    weights = op.Reshape(turned, op.Concat(count, op.Shape(w, start=2), axis=0), allowzero=1)
    y = op.Conv(x, weights, **node.attributes)
    images, size = op.Shape(y, end=1), op.Shape(y, start=2)
    parts = op.Concat(images, [group], batch.size, maps, size, axis=0)
    turned = op.Transpose(op.Reshape(y, parts, allowzero=1), perm=[2, 0, 1, *range(3, rank + 2)])
    return op.Reshape(
        turned,
        op.Concat(batch.size, images, op.Shape(w, start=1, end=2), size, axis=0),
        allowzero=1,
    )


@batching("ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
@batching("GlobalLpPool", "LpPool", "LRN", "InstanceNormalization", "GroupNormalization")
@batching("DepthToSpace", "SpaceToDepth", "BatchNormalization")
def on_images(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """f([B·N, C, …]), where only the image is batched; training statistics are not separable"""
    x, *rest = operands
    if x is None or any(o is not None and o.batched for o in rest) or len(node.outputs) > 1:
        return None
    if node.op_type == "BatchNormalization" and attribute(node, "training_mode"):
        return None
    inputs = [None if o is None else o.value for o in rest]
    y = batch.op.emit(node.op_type, batch.fold(x.value), *inputs, **node.attributes)
    return batch.unfold(y, x.value)


@batching("ConvInputGrad", composite=True)
def conv_input_grad(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """It is linear in dy image by image, so dy folds into N"""
    dy, w, x_shape = required(operands, 3)
    (dx,) = node.outputs
    if w.batched or x_shape.batched or dx is None or dx.shape is None:
        return None
    op = batch.op
    folded = batch.fold(dy.value)
    shape = op.Concat(op.Shape(folded, end=1), op.Slice(x_shape.value, [1], [2**31]), axis=0)
    type_ = TensorType(dx.dtype, (folded.shape[0], *dx.shape[1:]) if folded.shape else None)
    y = op.composite("ConvInputGrad", folded, w.value, shape, types=[type_], **node.attributes)
    return batch.unfold(y, dy.value)
