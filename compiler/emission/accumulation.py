"""Sums that gradients are made of: half precision is added up in float32 and rounded once.

Stock onnxruntime does not even have another way: its ScatterElements cannot add float16.
"""

from typing import Any

from ..graph.ir import Value
from ..graph.types import TensorType
from .ops import Ops


def is_half(x: Value) -> bool:
    """Tell whether a value is a tensor of float16 or bfloat16."""
    return isinstance(x.type, TensorType) and x.dtype.itemsize == 2 and x.dtype.kind not in "iu"


def accumulate(op: Ops, x: Value, axes: Any, **attributes: int) -> Value:
    """Emit ReduceSum."""
    wide = as_float32(op, x)
    return cast_to(op, op.ReduceSum(wide, axes, **attributes), x)


def scatter(
    op: Ops, x: Value, indices: Value, updates: Value, reduction: str = "add", axis: int = 0
) -> Value:
    """Emit ScatterElements; updates have the dtype of x."""
    if reduction == "none":
        return op.ScatterElements(x, indices, updates, axis=axis)
    wide, terms = as_float32(op, x), as_float32(op, updates)
    total = op.ScatterElements(wide, indices, terms, axis=axis, reduction=reduction)
    return cast_to(op, total, x)


def as_float32(op: Ops, x: Value) -> Value:
    """Give a half-precision tensor in float32, any other as it is."""
    return op.Cast(x, to="float32") if is_half(x) else x


def cast_to(op: Ops, x: Value, like: Value) -> Value:
    """Give x in the dtype of another value; what was widened from that is taken as it was.

    onnxruntime drops a cast there and back, and then misses it where a branch reads its result.
    """
    if x.dtype == like.dtype:
        return x
    narrow = widened_from(op, x)
    return narrow if narrow and narrow.dtype == like.dtype else op.Cast(x, to=like.dtype)


def widened_from(op: Ops, x: Value) -> Value | None:
    """Give what a value is in float32, where all it does is hold half precision."""
    node = op.graph.producer(x) if op.graph.owns(x) else None
    if node is None or node.operator != "Cast" or x.dtype != "float32":
        return None
    return node.first_input if is_half(node.first_input) else None
