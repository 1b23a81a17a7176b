"""Let gradients pass straight through quantization; what the graph computes stays what it is.

Every integer tensor that comes from QuantizeLinear or DynamicQuantizeLinear gets a level: a float
tensor of the same numbers, whose derivative is that of the unrounded ones. Where integers become
floats again the composite StraightThrough(value, surrogate) joins both: it gives the value and
has the derivative of the surrogate, which is computed from the levels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..errors import UnsupportedOpError
from ..gradients import ZERO_GRADIENT, ZeroKind
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_within
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


def let_through(graph: Graph) -> None:
    """Give quantized tensors levels and what dequantizes them the levels' derivative, in place.

    Raises:
        UnsupportedOpError: operators that compute with quantized integers and let nothing through;
            all of them at once.
    """
    refused: dict[str, None] = {}
    _walk(graph, Known(), refused)
    if refused:
        raise UnsupportedOpError(
            f"nothing passes straight through {', '.join(refused)}; quantized tensors may go into "
            f"{', '.join(sorted(_RULES.keys() - _SOURCES))}",
            sorted({label.partition(" ")[0] for label in refused}),
        )


def _walk(graph: Graph, known: Known, refused: dict[str, None]) -> None:
    for node in graph.nodes():
        run_within(partial(_walk, known=known, refused=refused), graph, node)
        handed = [*node.inputs, *(v for g in node.subgraphs for v in g.outputs)]
        if node.operator not in _SOURCES and not any(v in known.levels for v in handed if v):
            continue
        rule = _RULES.get(node.operator)
        if rule is not None:
            rule(Ops(graph, node.position, f"{next(node.writes()).name}/"), node, known)
        elif _computes_with_integers(node):
            refused[node.label] = None


def _computes_with_integers(node: Node) -> bool:
    """Tell whether an operator does arithmetic on what it reads, as far as anybody knows."""
    zero = ZERO_GRADIENT.get((node.domain, node.op_type))
    return zero is None or zero.kind is ZeroKind.INTEGERS


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
    exact = _numbers(op, zero, known)
    known.levels[zero] = _joined(op, exact, op.Div(op.Neg(lowest), scale))
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
    exact = _numbers(op, y, known)
    spread = op.Expand(_spread(op, _single(op, scale), exact, attributes), op.Shape(exact))
    known.scales[_key(y, scale, attributes)] = spread
    ratio = op.Div(_single(op, x), spread)
    shift = op.like(0, ratio)
    if zero is not None:
        shift = _spread(op, _numbers(op, zero, known), exact, attributes)
    level = op.Add(ratio, shift)
    if "int" in y.dtype.name:
        bounds: Any = ml_dtypes.iinfo(y.dtype)  # type: ignore[no-untyped-call]
        steps = op.Add(op.Round(ratio), shift)
        above = op.GreaterOrEqual(steps, float(bounds.min))
        inside = op.And(above, op.LessOrEqual(steps, float(bounds.max)))
    else:
        largest: Any = ml_dtypes.finfo(y.dtype)  # type: ignore[no-untyped-call]
        inside = op.LessOrEqual(op.Abs(level), float(largest.max))
    return _joined(op, exact, op.Where(inside, level, exact))


def _dequantize(op: Ops, node: Node, known: Known) -> None:
    """(level − level of the zero point)·scale"""
    x, scale = node.required(2)
    zero = node.input(2)
    steps = _numbers(op, x, known)
    if zero is not None:
        steps = op.Sub(steps, _spread(op, _numbers(op, zero, known), steps, node.attributes))
    spread = known.scales.get(_key(x, scale, node.attributes))
    if spread is None:
        spread = _spread(op, _single(op, scale), steps, node.attributes)
    _replace(op, node, op.Mul(steps, spread))


def _cast(op: Ops, node: Node, known: Known) -> None:
    """The level, where the integers become floats or other integers"""
    x, y = node.first_input, node.output()
    if x not in known.levels:
        return  # CastLike, and only its dtype is read
    if is_float(y.dtype):
        _replace(op, node, known.levels[x])
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
        raise UnsupportedOpError("the rank of its weights is unknown", [node.operator])
    maps: list[int] = list(range(1, w.rank)) if w_zero is not None and w_zero.rank == 1 else []
    known.levels[y] = op.Conv(
        _centred(op, x, x_zero, known, []),
        _centred(op, w, w_zero, known, maps),
        **node.attributes,
    )


def _move(op: Ops, node: Node, known: Known) -> None:
    """The same operator moves the levels"""
    x, *rest = node.inputs
    count = len(node.inputs) if node.operator == "Concat" else 1
    moved = [_numbers(op, v, known) for v in node.inputs[:count] if v is not None]
    listed = op.emit_all(
        node.op_type, *moved, *node.inputs[count:], outputs=len(node.outputs), **node.attributes
    )
    known.levels.update((y, r) for y, r in zip(node.outputs, listed, strict=True) if y and r)


def _centred(op: Ops, x: Value, zero: Value | None, known: Known, axes: list[int]) -> Value:
    numbers = _numbers(op, x, known)
    if zero is None:
        return numbers
    shift = _numbers(op, zero, known)
    return op.Sub(numbers, op.Unsqueeze(shift, axes) if axes else shift)


def _numbers(op: Ops, x: Value, known: Known) -> Value:
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


def _replace(op: Ops, node: Node, surrogate: Value) -> None:
    """Let a node that gives floats again have the derivative of a surrogate."""
    value = op.emit(node.op_type, *node.inputs, name=node.name or None, **node.attributes)
    put_in_place(op, node, [_joined(op, value, surrogate)])


def _joined(op: Ops, value: Value, surrogate: Value) -> Value:
    surrogate = cast_to(op, surrogate, value)
    return op.composite("StraightThrough", value, surrogate, types=[value.type])


_SOURCES = {"QuantizeLinear", "DynamicQuantizeLinear"}

_MOVES = MOVES - {"OneHot", "Pad", "TensorScatter", "Where"}
"""What moves elements of its first input, or of all: nothing of another kind comes in."""

_RULES: dict[str, Callable[[Ops, Node, Known], None]] = {
    "QuantizeLinear": _quantize,
    "DynamicQuantizeLinear": _quantize_dynamically,
    "DequantizeLinear": _dequantize,
    "Cast": _cast,
    "CastLike": _cast,
    "MatMulInteger": _multiply,
    "ConvInteger": _convolve,
    **dict.fromkeys(_MOVES, _move),
}
