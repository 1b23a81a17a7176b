"""Bodies of the gradients of operators that read by index."""

from ..ir import Node, Value
from ..ops import Ops
from .registry import form


@form("GatherGrad")
def gather_grad(op: Ops, node: Node) -> Value:
    """Add the slices of dy at indices along an axis into zeros of x's shape, by ScatterND.

    ScatterND writes along the first axis, so the others before `axis` are moved behind it:
    dy: (outer, count, inner) → (count, outer, inner), and back at the end.
    """
    dy, indices, x_shape = node.inputs
    assert dy is not None and indices is not None and x_shape is not None
    axis = node.attributes["axis"]
    rows, count = op.Reshape(indices, [-1, 1]), op.Reshape(op.Size(indices), [1])
    zero = op.like(0, dy)
    if axis == 0:
        row = op.Slice(x_shape, [1], [2**31])
        slices = op.Reshape(dy, op.Concat(count, row, axis=0), allowzero=1)
        result: Value = op.ScatterND(op.Expand(zero, x_shape), rows, slices, reduction="add")
        return result
    outer = op.ReduceProd(op.Slice(x_shape, [0], [axis]), [0], keepdims=1)
    behind = op.Slice(x_shape, [axis], [2**31])
    size, inner_dims = op.Gather(behind, [0]), op.Slice(behind, [1], [2**31])
    inner = op.ReduceProd(inner_dims, [0], keepdims=1)
    parts = op.Reshape(dy, op.Concat(outer, count, inner, axis=0), allowzero=1)
    slices = op.Transpose(parts, perm=[1, 0, 2])
    empty = op.Expand(zero, op.Concat(size, outer, inner, axis=0))
    sums = op.Transpose(op.ScatterND(empty, rows, slices, reduction="add"), perm=[1, 0, 2])
    dx: Value = op.Reshape(sums, x_shape, allowzero=1)
    return dx
