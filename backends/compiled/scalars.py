"""Functions of one number that formulas call, as numba compiles them into loops.

Those of float32 are polynomials, which LLVM computes for many numbers at once; calls into the C
library, which float64 takes, go one by one.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numba import njit

from ..kernels.erf import ARTANH_ERF

Function = Callable[..., Any]


def inlined(function: Function) -> Function:
    """Let numba put a function into those that call it."""
    compiled: Function = njit(forceinline=True, error_model="numpy")(function)
    return compiled


_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH = np.float32(0.693359375)  # few bits, so that its products with small integers are exact
_LN2_LOW = np.float32(math.log(2) - 0.693359375)
_EXP_LARGEST, _EXP_LEAST = np.float32(89), np.float32(-104)  # where exp is infinite, and 0
_INTEGERS = np.float32(1.5 * 2**23)  # added to it, a number is rounded to an integer, in low bits
_INTEGER_BITS = int(_INTEGERS.view(np.int32))
# (exp(r) - 1 - r - r²/2) / r³ as a polynomial on |r| <= ln(2) / 2
_E3, _E4, _E5, _E6, _E7 = (np.float32(1 / math.factorial(k)) for k in range(3, 8))
_HALF, _ONE, _TWO = np.float32(0.5), np.float32(1), np.float32(2)
_SMALL = np.float32(0.55)
# tanh(x) / x - 1, divided by x², as a polynomial in x² on |x| <= 0.55: least squares (error 2e-9)
_T3, _T5, _T7, _T9, _T11 = (
    np.float32(c)
    for c in (
        -0.33333313765984174,
        0.1333245545617462,
        -0.05383826968144633,
        0.02101242418773118,
        -0.006188455332031762,
    )
)
_A0, _A1, _A2, _A3, _A4, _A5, _A6, _A7, _A8, _A9 = (np.float32(c) for c in ARTANH_ERF)
_U = np.float32(0.35)
_P0, _P1, _P2, _P3, _P4, _P5, _P6, _P7, _P8 = (
    np.float32(c)
    for c in (
        0.13962130464675523,
        0.13986355985479207,
        0.11982092461983969,
        0.10555408113421412,
        -0.023216382450542042,
        0.159325921545856,
        -0.25584473351673037,
        0.1440338073519115,
        -0.029158499175489454,
    )
)


@inlined
def _power_of_two(k: Any) -> Any:
    """Return 2 ** k, made of its bits; k is an integer from -126 to 127."""
    return np.int32((k + 127) << 23).view(np.float32)  # numba adds int32 as int64


@inlined
def exp_float32(x: Any) -> Any:
    """Return exp(x) = 2ᵏ·exp(r) with k the integer next to x / ln(2).

    There is no branch in it, as LLVM would not compute it for many numbers at once.
    """
    inside = _EXP_LEAST if x < _EXP_LEAST else x  # NaN stays
    inside = _EXP_LARGEST if inside > _EXP_LARGEST else inside
    shifted = inside * _LOG2_E + _INTEGERS
    whole = shifted - _INTEGERS
    r = inside - whole * _LN2_HIGH
    r = r - whole * _LN2_LOW
    p = ((((_E7 * r + _E6) * r + _E5) * r + _E4) * r + _E3) * r + _HALF
    p = (p * r) * r + r + _ONE
    k = np.float32(shifted).view(np.int32) - _INTEGER_BITS
    half = k >> 1  # by halves: 2 ** k may be too small or too large by itself
    return p * _power_of_two(half) * _power_of_two(k - half)


@inlined
def tanh_float32(x: Any) -> Any:
    """Return tanh(x): a polynomial near 0, 1 - 2 / (exp(2·|x|) + 1) elsewhere."""
    size = abs(x)
    z = size * size
    near = ((((_T11 * z + _T9) * z + _T7) * z + _T5) * z + _T3) * z * size + size
    far = _ONE - _TWO / (exp_float32(_TWO * size) + _ONE)
    return np.float32(math.copysign(near if size < _SMALL else far, x))


@inlined
def erf_float32(x: Any) -> Any:
    """Return erf(x) within 1e-7, as the tanh of a polynomial."""
    z = x * x
    p = _A9 * z + _A8
    p = ((((p * z + _A7) * z + _A6) * z + _A5) * z + _A4) * z + _A3
    p = ((p * z + _A2) * z + _A1) * z + _A0
    return tanh_float32(p * x)


@inlined
def gaussian_cdf_float32(x: Any) -> Any:
    """Return Φ(x) = 1 - exp(-x²/2)·u·P(u) for x >= 0, u = 1 / (1 + 0.35·x), and 1 - Φ(-x) else.

    P was fitted for this file (relative error 3e-8), so that small probabilities are exact, too.
    """
    u = _ONE / (_ONE + _U * abs(x))
    p = (((_P8 * u + _P7) * u + _P6) * u + _P5) * u + _P4
    p = (((p * u + _P3) * u + _P2) * u + _P1) * u + _P0
    beyond = exp_float32(-_HALF * (x * x)) * (u * p)
    return beyond if x < np.float32(0) else _ONE - beyond


@inlined
def log1p_of_exp_float32(x: Any) -> Any:
    """Return log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))."""
    return max(x, np.float32(0)) + np.float32(math.log1p(exp_float32(-abs(x))))


@inlined
def log1p_of_exp_float64(x: Any) -> Any:
    """Return log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@inlined
def larger(x: Any, y: Any) -> Any:
    """Return the larger of two numbers, NaN where one is."""
    return x if x >= y or x != x else y


@inlined
def smaller(x: Any, y: Any) -> Any:
    """Return the smaller of two numbers, NaN where one is."""
    return x if x <= y or x != x else y


_COMMON: Mapping[str, Any] = {
    "larger": larger,
    "smaller": smaller,
    "abs": abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "rounded": np.rint,
    "inf": math.inf,
    "nan": math.nan,
}

_OF_C = (
    *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "expm1", "log", "sin"),
    *("sinh", "sqrt", "tan"),
)


def _of_c(name: str, dtype: Any) -> Function:
    """Let a function of the C library give a number of a dtype."""
    function = getattr(math, name)
    return inlined(lambda x: dtype(function(x)))


SCALARS: Mapping[str, Mapping[str, Any]] = {
    "float32": {
        **_COMMON,
        **{name: _of_c(name, np.float32) for name in _OF_C},
        "number": np.float32,
        "exp": exp_float32,
        "tanh": tanh_float32,
        "erf": erf_float32,
        "gaussian_cdf": gaussian_cdf_float32,
        "power": inlined(lambda x, y: np.float32(math.pow(x, y))),
        "softplus": log1p_of_exp_float32,
    },
    "float64": {
        **_COMMON,
        **{name: _of_c(name, np.float64) for name in _OF_C},
        "number": np.float64,
        "exp": inlined(lambda x: math.exp(x)),
        "tanh": inlined(lambda x: math.tanh(x)),
        "erf": inlined(lambda x: math.erf(x)),
        "gaussian_cdf": inlined(lambda x: 0.5 * math.erfc(-math.sqrt(0.5) * x)),
        "power": inlined(lambda x, y: math.pow(x, y)),
        "softplus": log1p_of_exp_float64,
    },
}
"""By dtype, what formulas may name."""
