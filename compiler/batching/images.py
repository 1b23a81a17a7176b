"""Batching of operators on images (N, C, …): the batch axis folds into N."""

from collections.abc import Sequence

from ..ir import Node
from ..types import TensorType
from .registry import Batch, Operand, Result, batching


@batching("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
@batching("GlobalLpPool", "LpPool", "LRN", "InstanceNormalization", "GroupNormalization")
@batching("DepthToSpace", "SpaceToDepth", "BatchNormalization")
def on_images(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """f([B·N, C, …]), where only the image is batched; training statistics are not separable"""
    x, *rest = operands
    if x is None or any(o is not None and o.batched for o in rest) or len(node.outputs) > 1:
        return None
    if node.op_type == "BatchNormalization" and node.attributes.get("training_mode", 0):
        return None
    inputs = [None if o is None else o.value for o in rest]
    y = batch.op.emit(node.op_type, batch.fold(x.value), *inputs, **node.attributes)
    return batch.unfold(y, x.value)


@batching("ConvInputGrad", composite=True)
def conv_input_grad(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """It is linear in dy image by image, so dy folds into N"""
    dy, w, x_shape = operands
    assert dy is not None and w is not None and x_shape is not None
    (dx,) = node.outputs
    if w.batched or x_shape.batched or dx is None or dx.shape is None:
        return None
    op = batch.op
    folded = batch.fold(dy.value)
    shape = op.Concat(op.Shape(folded, end=1), op.Slice(x_shape.value, [1], [2**31]), axis=0)
    type_ = TensorType(dx.dtype, (folded.shape[0], *dx.shape[1:]) if folded.shape else None)
    y = op.composite("ConvInputGrad", folded, w.value, shape, types=[type_], **node.attributes)
    return batch.unfold(y, dy.value)
