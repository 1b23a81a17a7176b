"""Arithmetic, comparison and logic, element by element; activations are elsewhere."""

import functools
import math
from collections.abc import Mapping
from typing import Any

from ...compiler.graph.ir import Node
from ...compiler.graph.types import TensorType, is_static
from .blocks import spread
from .precision import element_dtype, is_plain, widened
from .registry import Array, Binder, Kernel, KernelDoesNotApply, kernel
from .threads import PART_BYTES, core_count

_UNARY = {
    "Abs": "absolute",
    "Acos": "arccos",
    "Acosh": "arccosh",
    "Asin": "arcsin",
    "Asinh": "arcsinh",
    "Atan": "arctan",
    "Atanh": "arctanh",
    "BitwiseNot": "invert",
    "Ceil": "ceil",
    "Cos": "cos",
    "Cosh": "cosh",
    "Exp": "exp",
    "Floor": "floor",
    "IsNaN": "isnan",
    "Log": "log",
    "Neg": "negative",
    "Not": "logical_not",
    "Reciprocal": "reciprocal",
    "Round": "rint",
    "Sign": "sign",
    "Sin": "sin",
    "Sinh": "sinh",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}
_BINARY = {
    "Add": "add",
    "And": "logical_and",
    "BitwiseAnd": "bitwise_and",
    "BitwiseOr": "bitwise_or",
    "BitwiseXor": "bitwise_xor",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Mul": "multiply",
    "Or": "logical_or",
    "Sub": "subtract",
    "Xor": "logical_xor",
}
_VARIADIC = {"Max": "maximum", "Min": "minimum"}
_BITS = {2: "int16", 4: "int32", 8: "int64"}
_LARGE = 4096


def _unary(name: str) -> Kernel:
    """Make the kernel of one function of one array."""
    return lambda xp, x: getattr(xp, name)(x)


def _binary(name: str) -> Kernel:
    """Make the kernel of one function of two arrays that broadcast."""
    return lambda xp, x, y: getattr(xp, name)(x, y)


def _variadic(name: str) -> Kernel:
    """Make the kernel that folds a function over any number of arrays."""
    return lambda xp, *inputs: functools.reduce(getattr(xp, name), inputs)


def _itself(name: str) -> Binder:
    """Let a node call the function of xp that its kernel is, on several cores where it is large."""

    def bind(
        xp: Any, node: Node, attributes: Mapping[str, Any], fixed: Mapping[int, Array]
    ) -> Kernel:
        function, type_ = getattr(xp, name), node.output().type
        assert isinstance(type_, TensorType)
        shape = type_.shape
        static = shape is not None and is_static(shape)
        if core_count() < 2 or static and math.prod(map(int, shape or ())) < PART_BYTES // 8:
            return function
        return spread(xp, function, type_.dtype)

    return bind


for _op_type, _name in _UNARY.items():
    kernel(_op_type, bind=_itself(_name))(_unary(_name))
for _op_type, _name in _BINARY.items():
    kernel(_op_type, bind=_itself(_name))(_binary(_name))
for _op_type, _name in _VARIADIC.items():
    kernel(_op_type)(_variadic(_name))
kernel("Sum")(widened(_variadic("add")))


@kernel("Div")
def div(xp: Any, x: Array, y: Array) -> Array:
    """Divide; integers truncate towards zero."""
    if x.dtype.kind not in "iu":
        return xp.true_divide(x, y)
    # the remainder takes the sign of x, hence the division is exact
    return xp.floor_divide(x - _truncated_rest(xp, x, y), y) if x.dtype.kind == "i" else x // y


def _truncated_rest(xp: Any, x: Array, y: Array) -> Array:
    """Return the remainder of x, with its sign."""
    if x.dtype.kind == "f" or xp.__name__ == "numpy":
        return xp.fmod(x, y)
    rest = xp.remainder(x, y)  # CuPy's fmod takes integers through float64
    return xp.where((rest != 0) & ((x < 0) != (y < 0)), rest - y, rest)


def _floored_rest(xp: Any, x: Array, y: Array) -> Array:
    """Return the remainder of x, with the sign of y."""
    if x.dtype.kind != "f" or xp.__name__ == "numpy":
        return xp.remainder(x, y)
    rest = xp.fmod(x, y)  # CuPy's remainder of an infinite y is NaN, and has no −0
    moved = xp.where((rest < 0) == (y < 0), rest, rest + y)
    return xp.where(rest == 0, xp.copysign(rest, y), moved)


@kernel("Mod")
def mod(xp: Any, x: Array, y: Array, fmod: int = 0) -> Array:
    """Take the remainder, with the sign of the divisor, or of the dividend if fmod is 1."""
    return (_truncated_rest if fmod else _floored_rest)(xp, x, y)


@kernel("Pow")
def pow_(xp: Any, x: Array, y: Array) -> Array:
    """Raise x to the power y, which may be of another dtype; the result has that of x."""
    if y.ndim == 0 and xp.__name__ == "numpy":  # elsewhere reading y waits for the device
        if y == 2:
            return xp.square(x)
        if y == 3:
            return x * x * x
    if x.dtype.kind in "iu" and y.dtype.kind == "i" and (y < 0).any():
        y = y.astype("float64")
    elif x.dtype.kind in "fV" and y.dtype.kind in "iu":
        y = y.astype(x.dtype)
    return xp.power(x, y).astype(x.dtype, copy=False)


@kernel("Mean")
@widened
def mean(xp: Any, *inputs: Array) -> Array:
    """Average any number of arrays that broadcast."""
    return functools.reduce(xp.add, inputs) / inputs[0].dtype.type(len(inputs))


@kernel("BitShift")
def bit_shift(xp: Any, x: Array, y: Array, direction: str) -> Array:
    """Shift the bits of x by y places LEFT or RIGHT."""
    shift = xp.left_shift if direction == "LEFT" else xp.right_shift
    if xp.__name__ == "numpy":
        return shift(x, y)
    # C++, which CuPy's kernels are written in, leaves open what a shift by all bits or more gives
    bits = 8 * x.dtype.itemsize
    inside = (y >= 0) & (y < bits)
    beyond = -(x < 0).astype(x.dtype) if direction == "RIGHT" else x.dtype.type(0)
    return xp.where(inside, shift(x, xp.where(inside, y, y.dtype.type(0))), beyond)


@kernel("IsInf")
def is_inf(xp: Any, x: Array, detect_negative: int = 1, detect_positive: int = 1) -> Array:
    """Tell which elements are infinite, of the signs asked for."""
    infinite = xp.isinf(x)
    if not detect_negative:
        infinite &= xp.logical_not(xp.signbit(x))
    if not detect_positive:
        infinite &= xp.signbit(x)
    return infinite


@kernel("Clip")
def clip(xp: Any, x: Array, low: Array = None, high: Array = None) -> Array:
    """Limit x to low and high (scalars); high wins where they cross."""
    if low is not None:
        x = xp.maximum(x, low)
    return x if high is None else xp.minimum(x, high)


@kernel("Where")
def where(xp: Any, condition: Array, x: Array, y: Array) -> Array:
    """Take x where the condition holds and y elsewhere; all three broadcast."""
    bits = _BITS.get(x.dtype.itemsize) if x.dtype.kind != "O" else None
    if condition.size < _LARGE or bits is None or xp.__name__ != "numpy":
        return xp.where(condition, x, y)
    # NumPy branches at every element; choosing bits by a mask of all ones or zeros does not
    mask = condition.astype(bits)
    xp.negative(mask, out=mask)
    other = y.view(bits)
    return (((x.view(bits) ^ other) & mask) ^ other).view(x.dtype)


@kernel("Cast")
def cast(xp: Any, x: Array, to: int, saturate: int = 1, round_mode: str = "up") -> Array:
    """Convert to the element type `to`; float8, 4-bit and string types are left out."""
    dtype = element_dtype(to)
    if not is_plain(x.dtype):
        raise KernelDoesNotApply
    return x.astype(dtype, copy=False)


@kernel("CastLike")
def cast_like(xp: Any, x: Array, target: Array, saturate: int = 1, round_mode: str = "up") -> Array:
    """Convert to the dtype of target; float8, 4-bit and string types are left out."""
    if not (is_plain(x.dtype) and is_plain(target.dtype)):
        raise KernelDoesNotApply
    return x.astype(target.dtype, copy=False)
