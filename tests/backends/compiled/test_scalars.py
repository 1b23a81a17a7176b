"""Functions of one number against NumPy in float64 and the C library."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba import njit

from onnxgrad.backends.compiled.scalars import SCALARS

REFERENCES: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "tanh": np.tanh,
    "erf": np.vectorize(math.erf),
    "gaussian_cdf": np.vectorize(lambda x: math.erfc(-x / math.sqrt(2)) / 2),
    "log": np.log,
    "sqrt": np.sqrt,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "expm1": np.expm1,
    "floor": np.floor,
    "ceil": np.ceil,
    "rounded": np.rint,
    "softplus": lambda x: np.logaddexp(0, x),
}

SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan]


def evaluated(name: str, x: np.ndarray) -> np.ndarray:
    """Run a function over a vector."""
    function = SCALARS[x.dtype.name][name]

    def loop(x: Any, y: Any) -> None:
        for i in range(x.size):
            y[i] = function(x[i])

    y = np.empty_like(x)
    njit(error_model="numpy")(loop)(x, y)
    return y


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize(("dtype", "units"), [("float32", 3), ("float64", 4)])
def test_within_units_of_the_last_place(name: str, dtype: str, units: int) -> None:
    sizes = np.concatenate([np.geomspace(1e-37, 110, 4001), np.linspace(0, 12, 4001)])
    x = np.concatenate([sizes, -sizes, SPECIAL]).astype(dtype)
    with np.errstate(all="ignore"):
        expected = REFERENCES[name](x.astype(np.float64))
        rounded = expected.astype(dtype)
    found = evaluated(name, x)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(found[~finite], rounded[~finite])
    unit = np.spacing(np.abs(rounded[finite]))
    if name == "gaussian_cdf":  # rounding x²/2 alone moves its tail so far
        unit *= np.where(x[finite] < 0, 2 + x[finite].astype(np.float64) ** 2, 1)
    assert (np.abs(found[finite] - expected[finite]) <= units * unit).all()
    np.testing.assert_array_equal(np.signbit(found[x == 0]), np.signbit(expected[x == 0]))
