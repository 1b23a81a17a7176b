"""Bodies of the composite that undoes a broadcast whose axes are known only at run time."""

from ..emission.accumulation import accumulate
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from .registry import form


@form("ReduceToShape")
def reduce_to_shape(op: Ops, node: Node) -> Value:
    """Sum over the axes where `shape`, padded with ones in front, is 1 and `dy` is not; reshape.

    Where both are 1 the sum changes nothing, so every axis with a 1 in `shape` is summed. An empty
    list of axes means none here (noop_with_empty_axes).
    """
    dy, shape = node.required(2)
    rank, target_rank = op.Size(op.Shape(dy)), op.Size(shape)
    missing = op.Unsqueeze(op.Sub(rank, target_rank), [0])
    ones = op.Expand(op.constant([1]), missing)
    padded = op.Concat(ones, shape, axis=0)
    axes = op.Squeeze(op.NonZero(op.Equal(padded, 1)), [0])
    summed = accumulate(op, dy, axes, keepdims=1, noop_with_empty_axes=1)
    return op.Reshape(summed, shape, allowzero=1)
