"""Random calls of the operators that are folded: any dtype, rank 0, no elements, odd numbers.

One in some calls is wrong on purpose, such as an index that is out of range.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx.defs import get_schema

from onnxgrad.compiler.graph.types import as_dtype, is_float, onnx_dtype

Array = np.ndarray
Random = np.random.Generator


@dataclass(frozen=True)
class Call:
    """One call of an operator; None stands for an omitted input."""

    op: str
    inputs: Sequence[Array | None]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int | None = None

    def __str__(self) -> str:
        given = ", ".join("-" if a is None else f"{a.dtype}{a.tolist()}" for a in self.inputs)
        settings = ", ".join(f"{k}={v}" for k, v in self.attributes.items())
        return f"{self.op}({given}; {settings})"


_FLOATS = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, 6e-8, 65504, 3e38, 2.0**31, 2.0**63, 255.9]
_INTEGERS = [0, 1, 2, 127, 128, 255, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**53 + 1]
_INTEGERS += [2**63 - 1, 2**63, 2**64 - 1, *(-n for n in (1, 2, 128, 129, 2**31, 2**53 + 1, 2**63))]
_TEXTS = np.array(["", "a", "é", "0"], object)


def numbers(random: Random, dtype: np.dtype, shape: Sequence[int]) -> Array:
    """Draw elements, some of them at the ends of what the dtype holds."""
    if dtype.kind in "OUS":
        return np.asarray(random.choice(_TEXTS, shape), object)
    if dtype.kind == "b":
        return np.asarray(random.integers(2, size=shape), bool)
    odd = np.asarray(random.random(shape) < 0.3)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        fitting = np.array([n for n in _INTEGERS if limits.min <= n <= limits.max], dtype)
        small = random.integers(-4 * (dtype.kind == "i"), 5, shape).astype(dtype)
        return np.asarray(np.where(odd, random.choice(fitting, shape), small), dtype)
    small = random.choice([random.normal(size=shape), random.integers(-4, 5, shape)])
    with np.errstate(all="ignore"):
        return np.asarray(np.where(odd, random.choice(_FLOATS, shape), small)).astype(dtype)


def _shape(random: Random, least: int = 0, most: int = 4) -> list[int]:
    rank = int(random.integers(least, most + 1))
    return [int(n) for n in random.choice([0, 1, 2, 3, 4], rank, p=[0.05, 0.2, 0.3, 0.3, 0.15])]


def _dtype(random: Random, op: str, index: int = 0) -> np.dtype:
    """Draw one of the dtypes that an input may have."""
    return _tensor_dtype(random, get_schema(op).inputs[index].types)


def _tensor_dtype(random: Random, types: Iterable[str]) -> np.dtype:
    """Draw the dtype of one of the tensor types; complex numbers are none of ours."""
    names = sorted(t for t in types if t.startswith("tensor(") and "complex" not in t)
    dtypes = [as_dtype(name[len("tensor(") : -1]) for name in names]
    usual = [d for d in dtypes if is_float(d) or d.kind in "biu"]
    return random.choice(usual if random.random() < 0.8 else dtypes)  # type: ignore[arg-type]


def _operand(random: Random, op: str, least: int = 0) -> Array:
    return numbers(random, _dtype(random, op), _shape(random, least))


def _partner(random: Random, x: Array, dtype: np.dtype | None = None) -> Array:
    """Draw an array that broadcasts with x."""
    shape = list(x.shape[int(random.integers(x.ndim + 1)) :])
    shape = [1 if random.random() < 0.2 else n for n in shape]
    return numbers(random, x.dtype if dtype is None else dtype, shape)


def _axis(random: Random, rank: int) -> int:
    return int(random.integers(-rank, rank))


def _axes(random: Random, rank: int) -> Array:
    chosen = random.permutation(rank)[: int(random.integers(rank + 1))]
    return chosen - rank * random.integers(2, size=chosen.shape)


def _indices(random: Random, size: int, shape: Sequence[int]) -> Array:
    """Draw indices from either end; one call in thirty has one that is out of range."""
    spare = int(random.random() < 1 / 30)
    low, high = -size - spare, max(size + spare, 1 - size - spare)
    dtype = random.choice([np.int32, np.int64])  # type: ignore[arg-type]  # of types
    return np.asarray(random.integers(low, high, shape), dtype)


def _binary(random: Random, op: str) -> Call:
    x = _operand(random, op)
    pair = [x, _partner(random, x)]
    attributes = {}
    if op == "Mod":
        attributes["fmod"] = int(is_float(x.dtype) or random.integers(2))
    return Call(op, pair if random.integers(2) else pair[::-1], attributes)


def _unary(random: Random, op: str) -> Call:
    return Call(op, [_operand(random, op)])


def _several(random: Random, op: str) -> Call:
    x = _operand(random, op)
    return Call(op, [x, *(_partner(random, x) for _ in range(random.integers(3)))])


def _where(random: Random, op: str) -> Call:
    condition = numbers(random, np.dtype(bool), _shape(random))
    dtype = _dtype(random, op, 1)
    return Call(op, [condition, *(_partner(random, condition, dtype) for _ in range(2))])


def _cast(random: Random, op: str) -> Call:
    return Call(op, [_operand(random, op)], {"to": onnx_dtype(_dtype(random, op))})


def _cast_like(random: Random, op: str) -> Call:
    return Call(op, [_operand(random, op), numbers(random, _dtype(random, op), [1])])


def _concat(random: Random, op: str) -> Call:
    x = _operand(random, op, 1)
    axis = _axis(random, x.ndim)
    parts = [x]
    for _ in range(random.integers(3)):
        shape = list(x.shape)
        shape[axis] = int(random.integers(4))
        parts.append(numbers(random, x.dtype, shape))
    return Call(op, parts, {"axis": axis})


def _flatten(random: Random, op: str) -> Call:
    x = _operand(random, op)
    return Call(op, [x], {"axis": int(random.integers(-x.ndim, x.ndim + 1))})


def _squeeze(random: Random, op: str) -> Call:
    x = _operand(random, op)
    axes = _axes(random, x.ndim)
    if random.integers(4):
        shape = list(x.shape)
        for axis in axes:
            shape[axis] = 1
        x = numbers(random, x.dtype, shape)
    return Call(op, [x] if random.integers(4) == 0 else [x, axes])


def _unsqueeze(random: Random, op: str) -> Call:
    x = _operand(random, op)
    rank = x.ndim + int(random.integers(3))
    axes = random.permutation(rank)[: rank - x.ndim]
    return Call(op, [x, axes - rank * random.integers(2, size=axes.shape)])


def _transpose(random: Random, op: str) -> Call:
    x = _operand(random, op)
    return Call(
        op, [x], {"perm": random.permutation(x.ndim).tolist()} if random.integers(3) else {}
    )


def _reshape(random: Random, op: str) -> Call:
    x = _operand(random, op)
    target = list(x.shape)
    for _ in range(random.integers(3)):
        if len(target) > 1 and random.integers(2):
            target[:2] = [target[0] * target[1]]
        else:
            target.insert(int(random.integers(len(target) + 1)), 1)
    for k in range(len(target)):
        if k < x.ndim and target[k] == x.shape[k] and random.random() < 0.3:
            target[k] = 0
    if target and random.integers(2):
        target[int(random.integers(len(target)))] = -1
    return Call(op, [x, np.array(target, np.int64)], {"allowzero": int(random.random() < 0.3)})


def _expand(random: Random, op: str) -> Call:
    x = _operand(random, op)
    target = [*_shape(random, 0, 2), *x.shape][int(random.integers(3)) :]
    return Call(op, [x, np.array([random.choice([n, 1, 2]) for n in target], np.int64)])


def _slice(random: Random, op: str) -> Call:
    x = _operand(random, op, 1)
    axes = _axes(random, x.ndim)
    few = random.integers(4) == 0
    axes = np.arange(x.ndim) if few else axes
    far = [-(2**63), -9, 9, 2**63 - 1]
    starts, ends = (
        np.where(random.random(len(axes)) < 0.2, random.choice(far, len(axes)), drawn)
        for drawn in random.integers(-6, 7, (2, len(axes)))
    )
    steps = random.choice([-3, -2, -1, 1, 1, 2, 3], len(axes))
    rest = [] if few else [axes, steps][: int(random.integers(1, 3))]
    dtype = np.int64 if random.integers(3) else np.int32
    with np.errstate(all="ignore"):
        limits = np.iinfo(dtype)
        bounds = [a.clip(limits.min, limits.max).astype(dtype) for a in (starts, ends, *rest)]
    return Call(op, [x, *bounds])


def _gather(random: Random, op: str) -> Call:
    x = _operand(random, op, 1)
    axis = _axis(random, x.ndim)
    return Call(op, [x, _indices(random, x.shape[axis], _shape(random, 0, 2))], {"axis": axis})


def _along(random: Random, x: Array, axis: int) -> Array:
    shape = [int(random.integers(n + 1)) for n in x.shape]
    shape[axis] = int(random.integers(4))
    return _indices(random, x.shape[axis], shape)


def _gather_elements(random: Random, op: str) -> Call:
    x = _operand(random, op, 1)
    axis = _axis(random, x.ndim)
    return Call(op, [x, _along(random, x, axis)], {"axis": axis})


def _scatter_elements(random: Random, op: str) -> Call:
    x = _operand(random, op, 1)
    axis = _axis(random, x.ndim)
    indices = _along(random, x, axis)
    reduction = str(random.choice(["none", "none", "add", "mul", "max", "min"]))
    if reduction == "none" and indices.shape[axis] <= x.shape[axis]:
        order = np.argsort(random.random(x.shape), axis)
        indices = order[tuple(slice(n) for n in indices.shape)].astype(indices.dtype)
    updates = numbers(random, x.dtype, indices.shape)
    return Call(op, [x, indices, updates], {"axis": axis, "reduction": reduction})


def _gather_nd(random: Random, op: str) -> Call:
    x = _operand(random, op, 1)
    batch = int(random.integers(x.ndim)) if random.integers(3) == 0 else 0
    depth = int(random.integers(1, x.ndim - batch + 1))
    shape = [*x.shape[:batch], *_shape(random, 0, 2)]
    columns = [_indices(random, n, shape) for n in x.shape[batch : batch + depth]]
    return Call(op, [x, np.stack(columns, -1).astype(np.int64)], {"batch_dims": batch})


def _pad(random: Random, op: str) -> Call:
    x = _operand(random, op, 1)
    mode = str(random.choice(["constant", "constant", "edge", "reflect", "wrap"]))
    axes = _axes(random, x.ndim) if random.integers(2) else None
    count = x.ndim if axes is None else len(axes)
    low = -1 if random.random() < 0.3 else 0
    pads = random.integers(low, 3 if mode == "constant" else 2, 2 * count)
    fill = numbers(random, x.dtype, []) if mode == "constant" and random.integers(2) else None
    return Call(op, [x, pads, fill, axes], {"mode": mode})


def _top_k(random: Random, op: str) -> Call:
    x = _operand(random, op, 1)
    axis = _axis(random, x.ndim)
    count = np.array([random.integers(x.shape[axis] + 1)])
    attributes = {"axis": axis, "largest": int(random.integers(2))}
    return Call(op, [x, count], attributes, 2)


def _trilu(random: Random, op: str) -> Call:
    x = _operand(random, op, 2)
    k = np.array(random.integers(-3, 4)) if random.integers(3) else None
    return Call(op, [x, k], {"upper": int(random.integers(2))})


def _cumulative_sum(random: Random, op: str) -> Call:
    x = _operand(random, op, 1)
    flags = {name: int(random.integers(2)) for name in ("exclusive", "reverse")}
    return Call(op, [x, np.array(_axis(random, x.ndim))], flags)


def _reduction(random: Random, op: str) -> Call:
    x = _operand(random, op)
    flags = {name: int(random.integers(2)) for name in ("keepdims", "noop_with_empty_axes")}
    return Call(op, [x, _axes(random, x.ndim)] if random.integers(3) else [x], flags)


def _constant_of_shape(random: Random, op: str) -> Call:
    dtype = _tensor_dtype(random, get_schema(op).outputs[0].types)
    value = {"value": numbers(random, dtype, [1])} if random.integers(4) else {}
    return Call(op, [np.array(_shape(random), np.int64)], value)


def _range(random: Random, op: str) -> Call:
    dtype = _dtype(random, op)
    ends = [np.array(random.integers(-9, 10)).astype(dtype) for _ in range(2)]
    return Call(op, [*ends, np.array(random.choice([-3, -2, -1, 1, 2, 3])).astype(dtype)])


def _constant(random: Random, op: str) -> Call:
    dtype = _dtype(random, "Identity")
    given: list[dict[str, Any]] = [
        {"value": numbers(random, dtype, _shape(random))},
        {"value_int": 3},
        {"value_ints": [1, -2]},
        {"value_float": 0.1},
        {"value_floats": [0.1, -0.0]},
        {"value_string": "é"},
        {"value_strings": ["a", ""]},
    ]
    return Call(op, [], given[int(random.integers(len(given)))])


DRAWN: dict[str, Callable[[Random, str], Call]] = {
    **dict.fromkeys(["Add", "Sub", "Mul", "Div", "Mod", "And", "Or", "Xor"], _binary),
    **dict.fromkeys(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"], _binary),
    **dict.fromkeys(["Abs", "Ceil", "Floor", "Identity", "Neg", "Not", "Sqrt"], _unary),
    **dict.fromkeys(["Max", "Min"], _several),
    **dict.fromkeys(["ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum"], _reduction),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "CumSum": _cumulative_sum,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "ScatterElements": _scatter_elements,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
"""How calls of each operator are drawn."""
