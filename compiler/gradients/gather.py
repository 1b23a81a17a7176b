"""Gradients of operators that read by index: each element that was read gets its gradient back."""

from ..differentiation.rules import Entries, composite_gradient, gradient
from ..emission.accumulation import scatter
from ..emission.ops import Ops
from ..emission.positions import (
    dimension,
    gather_grad,
    int64,
    product,
    row_numbers,
    zeros,
)
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@gradient("Gather")
def gather(op: Ops, node: Node, dy: Value) -> Entries:
    """Slices of x by index: their gradients are added where they came from, see GatherGrad"""
    x, indices = node.required(2)
    axis = attribute(node, "axis")
    return gather_grad(op, dy, int64(op, indices), op.Shape(x), axis), None


@composite_gradient("GatherGrad")
def gather_grad_grad(op: Ops, node: Node, ddx: Value) -> Entries:
    """Linear in dy, and Gather is its transpose"""
    return op.Gather(ddx, node.inputs[1], axis=node.attributes["axis"]), None, None


@gradient("GatherElements")
def gather_elements(op: Ops, node: Node, dy: Value) -> Entries:
    """Elements of x by index: their gradients are added where they came from"""
    x, indices = node.required(2)
    axis = attribute(node, "axis")
    empty = zeros(op, op.Shape(x), dy)
    return scatter(op, empty, indices, dy, axis=axis), None


@gradient("GatherND")
def gather_nd(op: Ops, node: Node, dy: Value) -> Entries:
    """Slices of x by index tuples: Gather from x as a matrix of those slices

    With batch axes, B examples in all, each reads from its own rows of that matrix.
    """
    x, indices = node.required(2)
    batch_dims = attribute(node, "batch_dims")
    shape = op.Shape(x)
    batch = product(op, op.Slice(shape, [0], [batch_dims]))
    depth = op.Add(dimension(op, indices, -1), batch_dims)
    dims = op.Slice(shape, [batch_dims], depth)
    rows = row_numbers(op, indices, dims)
    count = product(op, op.Slice(op.Shape(indices), [batch_dims], [-1]))
    rows = op.Reshape(rows, op.Concat(batch, count, axis=0), allowzero=1)
    first = op.Mul(op.Range(0, op.Squeeze(batch, [0]), 1), product(op, dims))
    rows = op.Reshape(op.Add(op.Unsqueeze(first, [1]), rows), [-1])
    width = product(op, op.Slice(shape, depth, [2**31]))
    slices = op.Reshape(dy, op.Concat(op.Mul(batch, count), width, axis=0), allowzero=1)
    matrix = op.Concat(op.Mul(batch, product(op, dims)), width, axis=0)
    return op.Reshape(gather_grad(op, slices, rows, matrix), shape, allowzero=1), None


@gradient("TopK")
def top_k(op: Ops, node: Node, dy: Value, _: None) -> Entries:
    """The k largest or smallest elements of x: their gradients return where they came from"""
    x, k = node.inputs
    indices = node.outputs[1]
    if indices is None:
        _, indices = op.TopK(x, k, **node.attributes)
    empty = zeros(op, op.Shape(x), dy)
    axis = attribute(node, "axis")
    return op.ScatterElements(empty, indices, dy, axis=axis), None


@gradient("Compress")
def compress(op: Ops, node: Node, dy: Value) -> Entries:
    """Marked slices of x, or elements of the flattened x: Gather at the marked places"""
    x, condition = node.first_input, node.inputs[1]
    axis = node.attributes.get("axis")
    places = op.Squeeze(op.NonZero(condition), [0])
    if axis is not None:
        return gather_grad(op, dy, places, op.Shape(x), axis), None
    flat = gather_grad(op, dy, places, product(op, op.Shape(x)))
    return op.Reshape(flat, op.Shape(x), allowzero=1), None


@gradient("OneHot")
def one_hot(op: Ops, node: Node, dy: Value) -> Entries:
    """y = off + hot·(on − off), hot being 1 or 0:  d off = Σ dy·(1 − hot),  d on = Σ dy·hot"""
    indices, depth, values = node.required(3)
    axis = attribute(node, "axis")
    hot = op.OneHot(indices, depth, op.constant([0, 1], values.dtype), axis=axis)
    on = op.ReduceSum(op.Mul(dy, hot), keepdims=0)
    off = op.ReduceSum(op.Mul(dy, op.Sub(op.like(1, values), hot)), keepdims=0)
    return None, None, op.Concat(op.Unsqueeze(off, [0]), op.Unsqueeze(on, [0]), axis=0)


@gradient("ReverseSequence")
def reverse_sequence(op: Ops, node: Node, dy: Value) -> Entries:
    """Its own inverse: dx = ReverseSequence(dy)"""
    return op.ReverseSequence(dy, node.inputs[1], **node.attributes), None


@gradient("Unique")
def unique(op: Ops, node: Node, dy: Value, *_: None) -> Entries:
    """y holds the first of each group of equals: it gets the gradient, its equals none"""
    x = node.first_input
    indices = node.outputs[1] if len(node.outputs) > 1 else None
    if indices is None:
        _, indices = op.Unique(x, outputs=2, **node.attributes)
    axis = node.attributes.get("axis")
    if axis is not None:
        return gather_grad(op, dy, indices, op.Shape(x), axis)
    flat = gather_grad(op, dy, indices, product(op, op.Shape(x)))
    return op.Reshape(flat, op.Shape(x), allowzero=1)
