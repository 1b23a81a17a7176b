"""Arithmetic on NumPy arrays that no runtime may round, order or limit in its own way.

Integers, truth values, and floats where IEEE 754 says how they are rounded. Where the standard
leaves a result open, such as a division by zero, there is none here either.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ..graph.types import is_float, numpy_dtype

Array = np.ndarray
Function = Callable[..., Any]


class Inexact(Exception):
    """Raised for a call whose result is the runtime's to choose."""


def of_integers(function: Function) -> Function:
    """Leave floats out: runtimes differ about NaN, about −0 and about the order of a sum."""

    def run(x: Array, *others: Array, **attributes: Any) -> Any:
        if x.dtype.kind not in "iub":
            raise Inexact
        return function(x, *others, **attributes)

    return run


def _div(x: Array, y: Array) -> Any:
    """Divide; integers towards zero."""
    if x.dtype.kind not in "iu":
        return np.true_divide(x, y)
    if not y.all():
        raise Inexact
    # the remainder takes the sign of x, hence the division is exact
    return np.floor_divide(x - np.fmod(x, y), y)


@of_integers
def _mod(x: Array, y: Array, fmod: int) -> Any:
    """Take the remainder, with the sign of the divisor, or of the dividend if fmod is 1."""
    if not y.all():
        raise Inexact
    return np.fmod(x, y) if fmod else np.remainder(x, y)


def _cast(x: Array, to: int, **_: Any) -> Any:
    """Convert numbers: an integer loses the bits that do not fit, a float must fit an integer."""
    return _converted(x, numpy_dtype(to))


def _converted(x: Array, dtype: np.dtype) -> Any:
    if not (is_plain(x.dtype) and is_plain(dtype)):
        raise Inexact
    if dtype.kind in "iu" and x.dtype.kind not in "iub":
        limits, wide = np.iinfo(dtype), x.astype(np.float64)
        if not np.all((wide > float(limits.min) - 1) & (wide < float(limits.max) + 1)):
            raise Inexact
    return x.astype(dtype)


def is_plain(dtype: np.dtype) -> bool:
    """Tell whether conversions are those of C: small floats saturate, 4-bit integers are packed."""
    return dtype.kind in "biu" or is_float(dtype)


def _reduction(function: Any) -> Function:
    """Make a reduction of integers; sums and products must stay where doubles are exact.

    Runtimes differ about larger ones: onnxruntime adds some up in double, and others saturate.
    """

    @of_integers
    def run(
        x: Array, axes: Array | None = None, *, keepdims: int, noop_with_empty_axes: int
    ) -> Any:
        chosen = () if axes is None else tuple(axes.tolist())
        if not chosen and noop_with_empty_axes:
            return x
        if function in (np.add, np.multiply):
            least = 1 if function is np.multiply else 0  # a 0 hides what was too large before it
            sizes = np.maximum(np.abs(x.astype(np.float64)), least)
            if np.any(function.reduce(sizes, chosen or None) > min(np.iinfo(x.dtype).max, 2**53)):
                raise Inexact
        return function.reduce(x, chosen or None, x.dtype, keepdims=bool(keepdims))

    return run


def _range(start: Array, limit: Array, delta: Array, **_: Any) -> Any:
    """Give start + i·delta up to limit, exclusive."""
    if start.dtype.kind != "i" or not delta.all():
        raise Inexact
    return np.array(range(start.item(), limit.item(), delta.item()), start.dtype)


@of_integers
def _cumulative_sum(x: Array, axis: Array, exclusive: int, reverse: int) -> Any:
    """Sum up along an axis, from its end if `reverse`, without the element itself if exclusive."""
    along = int(axis.item())
    x = np.flip(x, along) if reverse else x
    y = np.cumsum(x, along, x.dtype)
    y = y - x if exclusive else y
    return np.flip(y, along) if reverse else y


@of_integers
def _top_k(x: Array, k: Array, axis: int, largest: int, sorted: int) -> Any:
    """Give the k largest or smallest elements along an axis and their places; ties in order."""
    if not sorted:
        raise Inexact
    order = np.argsort(~x if largest else x, axis, kind="stable")
    places = np.take(order, range(k.item()), axis)
    return np.take_along_axis(x, places, axis), places


NUMBERS: dict[str, Function] = {
    "Abs": of_integers(np.abs),
    "Add": np.add,
    "And": np.logical_and,
    "Cast": _cast,
    "CastLike": lambda x, target, **_: _converted(x, target.dtype),
    "Ceil": np.ceil,
    "CumSum": _cumulative_sum,
    "Div": _div,
    "Equal": np.equal,
    "Floor": np.floor,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Max": of_integers(lambda *xs: reduce(np.maximum, xs)),
    "Min": of_integers(lambda *xs: reduce(np.minimum, xs)),
    "Mod": _mod,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Or": np.logical_or,
    "Range": _range,
    "ReduceMax": _reduction(np.maximum),
    "ReduceMin": _reduction(np.minimum),
    "ReduceProd": _reduction(np.multiply),
    "ReduceSum": _reduction(np.add),
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
    "TopK": _top_k,
    "Xor": np.logical_xor,
}
"""Operators by name, as functions of their inputs and attributes."""
