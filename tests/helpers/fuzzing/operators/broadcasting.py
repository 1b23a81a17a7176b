"""Operators that broadcast: arithmetic of several tensors, comparisons, logic, choices."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..operator import Operator, Unsuitable, register
from ..program import Array
from ..scope import Scope, Sizes


def partner(s: Scope, x: int, kind: str = "f") -> int:
    """Give a tensor that broadcasts with x: often x itself, one that is there, or a new one."""
    dtype = "bool" if kind == "b" else s.dtype(x)
    if s.chance(0.08) and s.dtype(x) == dtype:
        return x
    if s.chance(0.55):
        return s.pick(kind, dtype=dtype, where=lambda a: a.ndim < 5)
    dims = list(s.dims(x))
    ones: Sizes = (1,) * s.drawn.profile.worlds
    dims = dims[s.whole(0, len(dims)) if s.chance(0.4) else 0 :]
    dims = [ones if s.chance(0.25) else d for d in dims]
    if len(dims) < 4 and s.chance(0.1):
        dims.insert(0, s.size())
    if kind == "b":
        return s.new(dims, "bool", values=lambda shape: s.rng.random(shape) < 0.5)
    return s.matching(dims, dtype)


def binary(
    name: str,
    forward: Callable[..., Any],
    distance: Callable[..., Any] | None = None,
    weight: float = 2.0,
) -> Operator:
    """Describe an operator of two floats that broadcast."""

    def draw(s: Scope) -> None:
        x = s.pick()
        y = partner(s, x)
        s.call(name, [x, y] if s.chance(0.6) else [y, x])

    return Operator(name, draw, forward, distance, weight=weight)


def variadic(
    name: str, forward: Callable[..., Any], distance: Callable[..., Any] | None = None
) -> Operator:
    """Describe an operator of any number of floats that broadcast."""

    def draw(s: Scope) -> None:
        x = s.pick()
        s.call(name, [x, *(partner(s, x) for _ in range(s.whole(0, 3)))])

    return Operator(name, draw, forward, distance, weight=0.8)


def _gaps(*arrays: Array) -> Array:
    """Give how far the inputs are apart, element by element, where there are several."""
    if len(arrays) < 2:
        return np.ones(())
    stacked = np.sort(np.stack(np.broadcast_arrays(*arrays)), axis=0)
    return np.diff(stacked, axis=0)


def _extreme(choose: Callable[..., Array]) -> Callable[..., Array]:
    return lambda *arrays: functools.reduce(choose, arrays)


def _mean(*arrays: Array) -> Array:
    return functools.reduce(np.add, arrays) / len(arrays)


def _draw_pow(s: Scope) -> None:
    x = s.pick(where=lambda a: a.size > 0)
    if s.array(x).min() > 0.2 and s.chance(0.6):
        s.call("Pow", [x, partner(s, x)], dtype=s.dtype(x))
    elif s.chance(0.5):
        exponent = s.choice([2.0, 3.0, 1.0, 0.0])
        s.call("Pow", [x, s.constant(np.array(exponent))], dtype=s.dtype(x))
    else:
        exponent = np.array(s.choice([0, 1, 2, 3]), s.choice(["int64", "int32"]))
        s.call("Pow", [x, s.constant(exponent)], dtype=s.dtype(x))


def _pow_distance(x: Array, y: Array) -> Array:
    """Whole constant exponents are smooth everywhere; for others the base stays positive."""
    if y.ndim == 0 and float(y) in (0.0, 1.0, 2.0, 3.0):
        return np.ones(())
    return x / 10


def _draw_prelu(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    dims = s.dims(x)
    ones: Sizes = (1,) * s.drawn.profile.worlds
    keep = s.whole(0, len(dims))
    slope = [ones if s.chance(0.3) else d for d in dims[len(dims) - keep :]]
    s.call("PRelu", [x, s.new(slope, s.dtype(x))])


def _draw_mod(s: Scope) -> None:
    x = s.pick()
    s.call("Mod", [x, partner(s, x)], fmod=1)


def _draw_clip(s: Scope) -> None:
    x = s.pick()
    low, high = (s.constant(np.array(v)) for v in sorted(s.rng.uniform(-2, 2, 2)))
    bounds: list[Sequence[int | None]] = [[low, high], [None, high], [low]]
    if s.dtype(x) != s.dtype(low):
        raise Unsuitable("another element type")
    s.call("Clip", [x, *s.choice(bounds)])


def _clip(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    x = x if low is None else np.maximum(x, low)
    return x if high is None else np.minimum(x, high)


def _clip_distance(x: Array, low: Array | None = None, high: Array | None = None) -> Array:
    return np.min([np.abs(x - b) for b in (low, high) if b is not None], axis=0)


def _draw_where(s: Scope) -> None:
    x = s.pick()
    try:
        condition = s.pick("b")
    except Unsuitable:
        condition = partner(s, x, "b")
    s.call("Where", [condition, x, partner(s, x)])


def _comparison(name: str, forward: Callable[..., Any]) -> Operator:
    def draw(s: Scope) -> None:
        x = s.pick()
        s.call(name, [x, partner(s, x)])

    return Operator(name, draw, forward, lambda x, y: np.abs(x - y), weight=0.3)


def _logic(name: str, forward: Callable[..., Any]) -> Operator:
    def draw(s: Scope) -> None:
        x = s.pick("b")
        s.call(name, [x, partner(s, x, "b")])

    return Operator(name, draw, forward, weight=0.2)


register(
    binary("Add", np.add, weight=3),
    binary("Sub", np.subtract),
    binary("Mul", np.multiply, weight=3),
    binary("Div", np.divide, lambda x, y: np.abs(y) / 10),
    variadic("Sum", lambda *arrays: functools.reduce(np.add, arrays)),
    variadic("Mean", _mean),
    variadic("Max", _extreme(np.maximum), _gaps),
    variadic("Min", _extreme(np.minimum), _gaps),
    Operator("Pow", _draw_pow, np.power, _pow_distance, weight=1.5),
    Operator("PRelu", _draw_prelu, lambda x, k: np.where(x < 0, k * x, x), lambda x, k: np.abs(x)),
    Operator(
        "Mod",
        _draw_mod,
        lambda x, y, fmod: np.fmod(x, y),
        lambda x, y, fmod: np.minimum(np.abs(y) / 10, np.abs(x / y - np.round(x / y))),
        weight=0.4,
    ),
    Operator("Clip", _draw_clip, _clip, _clip_distance),
    Operator("Where", _draw_where, np.where, weight=1.5),
    _comparison("Less", np.less),
    _comparison("LessOrEqual", np.less_equal),
    _comparison("Greater", np.greater),
    _comparison("GreaterOrEqual", np.greater_equal),
    _logic("And", np.logical_and),
    _logic("Or", np.logical_or),
    _logic("Xor", np.logical_xor),
    Operator("Not", lambda s: s.call("Not", [s.pick("b")]) and None, np.logical_not, weight=0.3),
)
