"""The float twins of quantized tensors: how each operator on the way carries them on.

Every integer tensor that comes from QuantizeLinear or DynamicQuantizeLinear gets a level: a float
tensor of the same numbers, whose derivative is that of the unrounded ones. Where integers become
floats again the composite StraightThrough(value, surrogate) joins both: it gives the value and
has the derivative of the surrogate, which is computed from the levels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ml_dtypes
import numpy as np

from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..errors import UnsupportedOpError
from ..graph.ir import Node, Value
from ..graph.types import is_float
from ..standard.traits import MOVES

Levels = dict[Value, Value]
"""The float twin of each integer tensor that something passes through."""

Key = tuple[Value, Value, int, int]
"""A quantized tensor, its scale, axis and block size."""

Scales = dict[Key, Value]
"""The scale of each element of a quantized tensor.

Quantization and dequantization share it: of what they give its derivative only the rest of the
rounding survives, which two sums, subtracted afterwards, would lose.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the quantized tensors met so far."""

    levels: Levels = field(default_factory=dict)
    scales: Scales = field(default_factory=dict)


def _quantize(op: Ops, node: Node, known: Known) -> None:
    """The level is x/scale + zero point where that does not saturate, else the bound"""
    x, scale = node.required(2)
    zero = node.input(2)
    y = node.output()
    known.levels[y] = _level(op, y, x, scale, zero, known, node.attributes)


def _quantize_dynamically(op: Ops, node: Node, known: Known) -> None:
    """The level of the zero point is −min(x, 0)/scale; the scale has a derivative of its own"""
    (x,) = node.required(1)
    scale, zero = (op.with_output(node, k) for k in (1, 2))
    lowest = op.Min(op.ReduceMin(x, keepdims=0), op.like(0, x))
    exact = numbers_of(op, zero, known)
    known.levels[zero] = joined(op, exact, op.Div(op.Neg(lowest), scale))
    y = op.with_output(node, 0)
    known.levels[y] = _level(op, y, x, scale, zero, known, {})


def _level(
    op: Ops,
    y: Value,
    x: Value,
    scale: Value,
    zero: Value | None,
    known: Known,
    attributes: Mapping[str, Any],
) -> Value:
    exact = numbers_of(op, y, known)
    spread = op.Expand(_spread(op, _single(op, scale), exact, attributes), op.Shape(exact))
    known.scales[_key(y, scale, attributes)] = spread
    ratio = op.Div(_single(op, x), spread)
    shift = op.like(0, ratio)
    if zero is not None:
        shift = _spread(op, numbers_of(op, zero, known), exact, attributes)
    level = op.Add(ratio, shift)
    if "int" in y.dtype.name:
        bounds: Any = ml_dtypes.iinfo(y.dtype)  # type: ignore[no-untyped-call]
        steps = op.Add(op.Round(ratio), shift)
        above = op.GreaterOrEqual(steps, float(bounds.min))
        inside = op.And(above, op.LessOrEqual(steps, float(bounds.max)))
    else:
        largest: Any = ml_dtypes.finfo(y.dtype)  # type: ignore[no-untyped-call]
        inside = op.LessOrEqual(op.Abs(level), float(largest.max))
    return joined(op, exact, op.Where(inside, level, exact))


def _dequantize(op: Ops, node: Node, known: Known) -> None:
    """(level − level of the zero point)·scale"""
    x, scale = node.required(2)
    replace_by(op, node, [_dequantized(op, x, scale, node.input(2), known, node.attributes)])


def _dequantized(
    op: Ops, x: Value, scale: Value, zero: Value | None, known: Known, attributes: Mapping[str, Any]
) -> Value:
    steps = numbers_of(op, x, known)
    if zero is not None:
        steps = op.Sub(steps, _spread(op, numbers_of(op, zero, known), steps, attributes))
    spread = known.scales.get(_key(x, scale, attributes))
    if spread is None:
        spread = _spread(op, _single(op, scale), steps, attributes)
    result: Value = op.Mul(steps, spread)
    return result


def _cast(op: Ops, node: Node, known: Known) -> None:
    """The level, where the integers become floats or other integers"""
    x, y = node.first_input, node.output()
    if x not in known.levels:
        return  # CastLike, and only its dtype is read
    if is_float(y.dtype):
        replace_by(op, node, [known.levels[x]])
    else:
        known.levels[y] = known.levels[x]


def _multiply(op: Ops, node: Node, known: Known) -> None:
    """The product of the levels less their zero points"""
    a, b = node.required(2)
    a_zero, b_zero = node.input(2), node.input(3)
    y = node.output()
    rows = a_zero is not None and a_zero.rank == 1 and a.rank != 1
    known.levels[y] = op.MatMul(
        _centred(op, a, a_zero, known, [-1] if rows else []), _centred(op, b, b_zero, known, [])
    )


def _convolve(op: Ops, node: Node, known: Known) -> None:
    """The convolution of the levels less their zero points"""
    x, w = node.required(2)
    x_zero, w_zero = node.input(2), node.input(3)
    y = node.output()
    if w.rank is None:
        raise UnsupportedOpError(
            f"nothing passes straight through {node.label}: the rank of its weights is unknown; "
            "load the model with shapes={…}",
            [node.operator],
        )
    maps: list[int] = list(range(1, w.rank)) if w_zero is not None and w_zero.rank == 1 else []
    known.levels[y] = op.Conv(
        _centred(op, x, x_zero, known, []),
        _centred(op, w, w_zero, known, maps),
        **node.attributes,
    )


def _qlinear_multiply(op: Ops, node: Node, known: Known) -> None:
    """The product of what both stand for, quantized again; a scale may be one per row or column"""
    a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = node.required(8)
    rows = a_scale.rank == 1 and a_scale.shape != (1,) and a.rank != 1
    left = _centred(op, a, a_zero, known, [-1] if rows else [])
    factor = _one(op, _single(op, a_scale))
    left = op.Mul(left, op.Unsqueeze(factor, [-1]) if rows else factor)
    right = _centred(op, b, b_zero, known, [])
    right = op.Mul(right, _one(op, _single(op, b_scale)))
    _quantized_again(op, node, op.MatMul(left, right), scale, zero, known)


def _qlinear_convolve(op: Ops, node: Node, known: Known) -> None:
    """The convolution of what both stand for, quantized again"""
    x, x_scale, x_zero, w, w_scale, w_zero, scale, zero = node.required(8)
    bias = node.input(8)
    image = _dequantized(op, x, x_scale, x_zero, known, {})
    kernel = _dequantized(op, w, w_scale, w_zero, known, {"axis": 0})
    if bias is not None:
        steps = op.Cast(bias, to="float32")
        bias = op.Mul(steps, op.Mul(_one(op, _single(op, x_scale)), _one(op, _single(op, w_scale))))
    y = op.Conv(image, kernel, bias, **node.attributes)
    _quantized_again(op, node, y, scale, zero, known)


def _quantized_again(
    op: Ops, node: Node, exact: Value, scale: Value, zero: Value, known: Known
) -> None:
    y = node.output()
    known.levels[y] = _level(op, y, exact, _one(op, scale), _one(op, zero), known, {})


def _one(op: Ops, x: Value) -> Value:
    """Give a number in a list of one as a scalar."""
    return op.Squeeze(x) if x.shape == (1,) else x


def _move(op: Ops, node: Node, known: Known) -> None:
    """The same operator moves the levels"""
    x, *rest = node.inputs
    count = len(node.inputs) if node.operator == "Concat" else 1
    moved = [numbers_of(op, v, known) for v in node.inputs[:count] if v is not None]
    listed = op.emit_all(
        node.op_type, *moved, *node.inputs[count:], outputs=len(node.outputs), **node.attributes
    )
    known.levels.update(
        (y, r)
        for y, r in zip(node.outputs, listed, strict=True)
        if y is not None and r is not None and is_float(r.dtype)
    )


def _pad(op: Ops, node: Node, known: Known) -> None:
    """The level, padded by what stands for the padding"""
    x, pads = node.required(2)
    value, axes = node.input(2), node.input(3)
    inner = None if value is None else numbers_of(op, value, known)
    level = op.Pad(numbers_of(op, x, known), pads, inner, axes, **node.attributes)
    known.levels[node.output()] = level


def _add(op: Ops, node: Node, known: Known) -> None:
    """The sum of the levels, in an integer that is wide enough for it"""
    if node.first_input.dtype.itemsize < 4:
        raise UnsupportedOpError(
            f"nothing passes straight through {node.label}: its integers wrap around",
            [node.operator],
        )
    levels = (numbers_of(op, v, known) for v in node.required(2))
    known.levels[node.output()] = op.emit(node.op_type, *levels)


def _interpolate(op: Ops, node: Node, known: Known) -> None:
    """The same of the levels, where integers are rounded again"""
    x, *rest = node.inputs
    assert x is not None
    y = node.output()
    level = op.emit(node.op_type, numbers_of(op, x, known), *rest, **node.attributes)
    known.levels[y] = joined(op, numbers_of(op, y, known), level)


def _centred(op: Ops, x: Value, zero: Value | None, known: Known, axes: list[int]) -> Value:
    numbers = numbers_of(op, x, known)
    if zero is None:
        return numbers
    shift = numbers_of(op, zero, known)
    return op.Sub(numbers, op.Unsqueeze(shift, axes) if axes else shift)


def numbers_of(op: Ops, x: Value, known: Known) -> Value:
    """Give the level of a quantized tensor; of one without a level its numbers, as float32."""
    return known.levels[x] if x in known.levels else op.DequantizeLinear(x, np.float32(1))


def _single(op: Ops, x: Value) -> Value:
    """Give a tensor in float32, which holds all of what is quantized."""
    return x if x.dtype == np.float32 else op.Cast(x, to="float32")


def _key(y: Value, scale: Value, attributes: Mapping[str, Any]) -> Key:
    return y, scale, attributes.get("axis", 1), attributes.get("block_size", 0)


def _spread(op: Ops, v: Value, x: Value, attributes: Mapping[str, Any]) -> Value:
    """Bring scales or zero points, one for x or one for each slice or block, to its rank."""
    if v.rank == 0:
        return v
    if v.shape == (1,):
        return op.Squeeze(v)
    ones = op.Expand(np.int8(1), op.Shape(x))
    wanted = {k: attributes[k] for k in ("axis", "block_size") if k in attributes}
    result = op.DequantizeLinear(ones, v, **wanted)
    return result


def replace_by(op: Ops, node: Node, surrogates: Sequence[Value | None]) -> None:
    """Let floats that a node gives have the derivatives of surrogates."""
    values = op.emit_all(
        node.op_type,
        *node.inputs,
        outputs=["" if v is None else op.graph.names.fresh(v.name) for v in node.outputs],
        domain=node.domain,
        name=node.name or None,
        **node.attributes,
    )
    results = [
        v if v is None or s is None or not is_float(v.dtype) else joined(op, v, s)
        for v, s in zip(values, surrogates, strict=False)
    ]
    put_in_place(op, node, results)


def joined(op: Ops, value: Value, surrogate: Value) -> Value:
    surrogate = cast_to(op, surrogate, value)
    return op.composite("StraightThrough", value, surrogate, types=[value.type])


SOURCES = {"QuantizeLinear", "DynamicQuantizeLinear"}
"""Where quantized tensors come from."""

_MOVES = MOVES - {"OneHot", "Pad", "TensorScatter", "Where"}
"""What moves elements of its first input, or of all: nothing of another kind comes in."""

QUANTIZED = SOURCES | {
    "ConvInteger",
    "DequantizeLinear",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
}
"""Operators of which each has to do with quantized tensors."""

RULES: dict[str, Callable[[Ops, Node, Known], None]] = {
    "QuantizeLinear": _quantize,
    "DynamicQuantizeLinear": _quantize_dynamically,
    "DequantizeLinear": _dequantize,
    "Cast": _cast,
    "CastLike": _cast,
    "MatMulInteger": _multiply,
    "ConvInteger": _convolve,
    "QLinearMatMul": _qlinear_multiply,
    "QLinearConv": _qlinear_convolve,
    "Add": _add,
    "Sub": _add,
    "MaxPool": _move,
    "Pad": _pad,
    "Resize": _interpolate,
    **dict.fromkeys(_MOVES, _move),
}
