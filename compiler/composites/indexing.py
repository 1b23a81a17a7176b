"""Bodies of the gradients of operators that read by index."""

from ..errors import UnsupportedOpError
from ..ir import Node, Value
from ..ops import Ops
from .registry import form, standard_body


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


@standard_body("TensorScatter")
def tensor_scatter(op: Ops, node: Node) -> Value:
    """Write a run of slices into a cache by ScatterElements, from each example's index on.

    cache: (batch, …, length, …), update: (batch, …, count, …), both along `axis`.
    """
    cache, update, starts = [*node.inputs, None][:3]
    assert cache is not None and update is not None
    if update.rank is None:
        raise UnsupportedOpError("the rank of its inputs is unknown", [node.operator])
    axis = node.attributes.get("axis", -2) % update.rank
    count, length = (op.Shape(v, start=axis, end=axis + 1) for v in (update, cache))
    places = op.Unsqueeze(op.Range(0, op.Squeeze(count, [0]), 1), [0])
    if starts is not None:
        places = op.Add(op.Unsqueeze(starts, [1]), places)
    if node.attributes.get("mode", "linear") == "circular":
        places = op.Mod(places, length)
    others = [k for k in range(1, update.rank) if k != axis]
    indices = op.Expand(op.Unsqueeze(places, others), op.Shape(update))
    result: Value = op.ScatterElements(cache, indices, update, axis=axis)
    return result
