"""Calls of types that onnxruntime's kernels take and fail on, or do not take, said in others.

Each rule gives the outputs of what it emits, None where it does not apply.
"""

import ml_dtypes
import numpy as np

from ...emission.accumulation import as_float32, cast_to, is_half
from ...emission.ops import Ops
from ...graph.ir import Node, Value
from ...graph.types import TensorType, as_dtype

Results = list[Value | None]


def is_of(value: Value | None, *dtypes: type) -> bool:
    """Tell whether a value is a tensor of one of some dtypes."""
    if value is None or not isinstance(value.type, TensorType):
        return False
    return value.dtype in [np.dtype(d) for d in dtypes]


def half_reduction(op: Ops, node: Node) -> Results | None:
    """Reduce in float32: the kernel takes half precision, but does not reduce it."""
    x, indices, updates = node.inputs
    assert x is not None and updates is not None
    if node.attributes.get("reduction", "none") == "none" or not is_half(x):
        return None
    wide = as_float32(op, x), indices, as_float32(op, updates)
    return [cast_to(op, op.ScatterElements(*wide, **node.attributes), x)]


def unsigned_exponent(op: Ops, node: Node) -> Results | None:
    """x^e with an unsigned e = x^e with e in a wider signed dtype."""
    x, exponent = node.inputs
    if is_of(exponent, np.uint8, np.uint16, np.uint32):
        return [op.Pow(x, op.Cast(exponent, to="int64"))]
    if is_of(exponent, np.uint64):
        return [op.Pow(x, op.Cast(exponent, to="float64"))]
    return None


def unsigned_top(op: Ops, node: Node) -> Results | None:
    """Top of uint64 = top of int64 with the highest bit flipped, which keeps the order."""
    x, k = node.inputs
    if not is_of(x, np.uint64):
        return None
    flip = op.constant(np.iinfo(np.int64).min, np.int64)
    signed = op.BitwiseXor(op.Cast(x, to="int64"), flip)
    values, indices = op.TopK(signed, k, **node.attributes)
    unsigned = op.Cast(op.BitwiseXor(values, flip), to="uint64")
    return [unsigned, indices]


def reduce_truth(op: Ops, node: Node) -> Results | None:
    """Any and all of booleans = largest and least of 0 and 1; of nothing: false and true."""
    x, axes = node.inputs[0], node.input(1)
    if not is_of(x, np.bool_):
        return None
    numbers = op.Cast(x, to="uint8")
    reduced = op.emit(node.op_type, numbers, axes, **node.attributes)
    return [op.Cast(reduced, to="bool")]


def norm_of_channels(op: Ops, node: Node) -> Results | None:
    """(Σ |x|ᵖ)^(1/p) over the spatial axes: the only kernel is of float32 and opsets before 22."""
    (x,), p = node.inputs, node.attributes.get("p", 2)
    if x is None or x.rank is None:
        return None
    if x.rank == 2:  # no axes would mean all of them
        return [op.Abs(x)]
    axes, wide = list(range(2, x.rank)), as_float32(op, x)
    if p in (1, 2):
        return [cast_to(op, op.emit(f"ReduceL{p}", wide, axes), x)]
    total = op.ReduceSum(op.Pow(op.Abs(wide), op.like(p, wide)), axes)
    return [cast_to(op, op.Pow(total, op.like(1 / p, wide)), x)]


def pool_of_points(op: Ops, node: Node) -> Results | None:
    """The largest, and the mean, of one element is the element: the kernels want an image"""
    return [op.Identity(node.first_input)] if node.first_input.rank == 2 else None


def one_block(op: Ops, node: Node) -> Results | None:
    """A single block has one scale for all: a list of one with a block_size is refused"""
    scale, zero = node.required(2)[1], node.input(2)
    if not node.attributes.get("block_size") or scale.shape is None or set(scale.shape) != {1}:
        return None
    steps = [v and op.Reshape(v, np.zeros(0, np.int64)) for v in (scale, zero)]
    attributes = {k: a for k, a in node.attributes.items() if k not in ("axis", "block_size")}
    return [op.emit(node.op_type, node.first_input, *steps, **attributes)]


def scale_in_single(op: Ops, node: Node) -> Results | None:
    """(x − z)·s in float32, rounded to bfloat16 at the end, where s is bfloat16."""
    if (results := one_block(op, node)) is not None:
        return results
    (x, scale, *zero), (y,) = node.inputs, node.outputs
    assert scale is not None and y is not None
    if not is_of(scale, ml_dtypes.bfloat16) and y.dtype != ml_dtypes.bfloat16:
        return None
    attributes = {k: a for k, a in node.attributes.items() if k != "output_dtype"}
    wide = op.DequantizeLinear(x, as_float32(op, scale), *zero, **attributes)
    return [cast_to(op, wide, y)]


def scalar_range(op: Ops, node: Node) -> Results | None:
    """Start, limit and step with one element each = the same as scalars."""
    if all(v is not None and v.rank == 0 for v in node.inputs):
        return None
    return [op.Range(*(op.Reshape(v, np.zeros(0, np.int64)) for v in node.inputs))]


def bits_of_truth(op: Ops, node: Node) -> Results | None:
    """The bits of a boolean are those of the number 0 or 1."""
    (x,), to = node.inputs, node.attributes["to"]
    to_truth = as_dtype(to) == "bool" and is_of(x, np.uint8, np.int8)
    return [op.Cast(x, to=to)] if to_truth or is_of(x, np.bool_) else None
