"""Bodies of operators that read or write by index or cut, and of their gradients."""

from collections.abc import Sequence

from ..emission.accumulation import scatter
from ..emission.ops import Ops
from ..emission.positions import int64, scattered
from ..graph.ir import Node, Value
from ..standard.schemas import attribute
from .onnx_bodies import emit_function_body
from .registry import form, standard_body


@form("GatherGrad")
def gather_grad(op: Ops, node: Node) -> Value:
    """Add each element of dy to its place in the flattened dx, by ScatterElements.

    dy: (outer, count, inner), dx: (outer, size, inner). ScatterND would move whole rows, but
    onnxruntime lets threads race where its indices repeat.
    """
    dy, indices, x_shape = node.required(3)
    axis = node.attributes["axis"]
    behind = op.Slice(x_shape, [axis], [2**31])
    size = op.Gather(behind, [0])
    inner = op.ReduceProd(op.Slice(behind, [1], [2**31]), [0], keepdims=0)
    outer = op.ReduceProd(op.Slice(x_shape, [0], [axis]), [0], keepdims=0)
    chosen = op.Reshape(indices, [-1])
    chosen = op.Where(op.Less(chosen, 0), op.Add(chosen, size), chosen)
    first = op.Mul(op.Range(0, outer, 1), size)
    rows = op.Add(op.Unsqueeze(first, [1]), chosen)
    places = op.Add(op.Unsqueeze(op.Mul(rows, inner), [2]), op.Range(0, inner, 1))
    empty = op.Expand(op.like(0, dy), op.ReduceProd(x_shape, [0], keepdims=1))
    flat = op.Reshape(places, [-1]), op.Reshape(dy, [-1])
    return op.Reshape(scatter(op, empty, *flat), x_shape, allowzero=1)


@standard_body("ScatterND")
def scatter_nd(op: Ops, node: Node) -> Value:
    """Write or reduce the elements of the updates one by one, see `scattered`."""
    x, indices, updates = node.required(3)
    return scattered(op, x, indices, updates, attribute(node, "reduction"))


@standard_body("CenterCropPad")
def center_crop_pad(op: Ops, node: Node) -> Sequence[Value | None]:
    """ONNX's body, which computes with the wanted shape in int64."""
    x, shape = node.required(2)
    return emit_function_body(op, node, [x, int64(op, shape)])


@standard_body("TensorScatter")
def tensor_scatter(op: Ops, node: Node) -> Value:
    """Write a run of slices into a cache by ScatterElements, from each example's index on.

    cache: (batch, …, length, …), update: (batch, …, count, …), both along `axis`.
    """
    cache, update = node.required(2)
    starts = node.input(2)
    rank = update.known_rank
    axis = attribute(node, "axis") % rank
    count, length = (op.Shape(v, start=axis, end=axis + 1) for v in (update, cache))
    places = op.Unsqueeze(op.Range(0, op.Squeeze(count, [0]), 1), [0])
    if starts is not None:
        places = op.Add(op.Unsqueeze(starts, [1]), places)
    if attribute(node, "mode") == "circular":
        places = op.Mod(places, length)
    others = [k for k in range(1, rank) if k != axis]
    indices = op.Expand(op.Unsqueeze(places, others), op.Shape(update))
    return op.ScatterElements(cache, indices, update, axis=axis)
