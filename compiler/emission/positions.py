"""Helpers of rules that move elements: where each went, zeros to put them back into; no rules."""

from ..graph.ir import Value
from ..graph.types import TensorType
from .accumulation import scatter
from .ops import Ops


def zeros(op: Ops, shape: Value, like: Value) -> Value:
    """Give zeros of a shape (int64, 1-D) and of the dtype of `like`."""
    return op.Expand(op.like(0, like), shape)


def ones(op: Ops, shape: Value, like: Value) -> Value:
    """Give ones of a shape (int64, 1-D) and of the dtype of `like`."""
    return op.Expand(op.like(1, like), shape)


def dimension(op: Ops, x: Value, axis: int) -> Value:
    """Give the size of x along an axis, int64 of shape (1,)."""
    return op.Shape(x, start=axis, end=None if axis == -1 else axis + 1)


def product(op: Ops, dims: Value) -> Value:
    """Multiply a list of dims, int64 of shape (1,); no dims give 1."""
    return op.ReduceProd(dims, [0], keepdims=1)


def int64(op: Ops, x: Value) -> Value:
    """Give integers as int64."""
    return x if x.dtype == "int64" else op.Cast(x, to="int64")


def from_front(op: Ops, indices: Value, size: Value) -> Value:
    """Give indices of which none counts from the end: those out of range of `size` are errors.

    size: int64 of shape () or (1,); to operators that count from the end −1 would be the last.
    """
    beyond = op.CastLike(size, indices)
    return op.Where(op.Less(indices, op.like(0, indices)), beyond, indices)


def numbered(op: Ops, shape: Value) -> Value:
    """Give the place of each element in the flattened tensor, in a tensor of that shape."""
    count = op.ReduceProd(shape, keepdims=0)
    return op.Reshape(op.Range(0, count, 1), shape, allowzero=1)


def strides_of(op: Ops, shape: Value) -> Value:
    """Give how many elements lie between neighbors along each axis: the later dims' product."""
    axes = op.Range(0, op.Size(shape), 1)
    later = op.Greater(op.Unsqueeze(axes, [0]), op.Unsqueeze(axes, [1]))
    return op.ReduceProd(op.Where(later, shape, [1]), [1], keepdims=0)


def unravelled(op: Ops, shape: Value) -> Value:
    """Give the coordinates of every element of a shape: (count, rank)."""
    every = op.Range(0, op.ReduceProd(shape, keepdims=0), 1)
    return op.Mod(op.Div(op.Unsqueeze(every, [1]), strides_of(op, shape)), shape)


def row_numbers(op: Ops, indices: Value, dims: Value) -> Value:
    """Give the number of the row that each index tuple (last axis) selects among rows of dims."""
    positive = op.Where(op.Less(indices, 0), op.Add(indices, dims), indices)
    return op.ReduceSum(op.Mul(positive, strides_of(op, dims)), [-1], keepdims=0)


def scattered(op: Ops, x: Value, indices: Value, updates: Value, reduction: str) -> Value:
    """Say ScatterND by ScatterElements on the flattened x: there repeated indices are safe.

    In onnxruntime the threads of ScatterND race where they reduce into the same row.
    """
    shape, depth = op.Shape(x), dimension(op, indices, -1)
    rows = row_numbers(op, indices, op.Slice(shape, [0], depth))
    width = op.ReduceProd(op.Slice(shape, depth, [2**31]), [0], keepdims=0)
    first = op.Mul(op.Reshape(rows, [-1, 1]), width)
    places = op.Reshape(op.Add(first, op.Range(0, width, 1)), [-1])
    flat = op.Reshape(x, [-1]), places, op.Reshape(updates, [-1])
    return op.Reshape(scatter(op, *flat, reduction), shape, allowzero=1)


def put_back(op: Ops, dy: Value, positions: Value, x: Value) -> Value:
    """Add each element of dy at its position in the flattened x: dx, zero elsewhere."""
    shape = op.Shape(x)
    flat = gather_grad(op, op.Reshape(dy, [-1]), op.Reshape(positions, [-1]), product(op, shape))
    return op.Reshape(flat, shape, allowzero=1)


def gather_grad(op: Ops, dy: Value, indices: Value, x_shape: Value, axis: int = 0) -> Value:
    """Add the slices of dy at indices along an axis into zeros: the gradient of Gather."""
    shape = x_shape.elements if x_shape.constant is None else tuple(x_shape.constant.tolist())
    types = [TensorType(dy.dtype, shape)]
    return op.composite("GatherGrad", dy, indices, x_shape, types=types, axis=axis)
