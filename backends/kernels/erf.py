"""The error function and what follows from it; NumPy has none, and SciPy is not a dependency."""

from typing import Any

from .blocks import blockwise
from .precision import widened
from .registry import Array, kernel

# All coefficients were fitted for this file, lowest power first.
# artanh(erf(x)) / x as a polynomial in x², weighted least squares on [0, 4] (error in erf: 8e-9).
# Beyond 4 it only grows, where tanh is 1 in float32.
ARTANH_ERF = (
    1.128379225730896,
    0.10277144610881805,
    -2.0451561431400478e-4,
    -5.979628767818213e-4,
    7.097297930158675e-5,
    7.659858169972722e-7,
    -1.1819757901321282e-6,
    1.4484211874332686e-7,
    -7.858766082335933e-9,
    1.6584222883864186e-10,
)
# erf(x) / x in x² on [0, 1] (relative error 1e-18) and exp(x²)·erfc(x) in x on [1, 6] (1e-17),
# rational interpolation at Chebyshev points in 60 digits
_ERF_NUMERATOR = (
    1.1283791670955126,
    0.14365581715028763,
    0.0455033341653278,
    0.0018829155471563983,
    0.00019709588069752516,
    8.625602445726376e-08,
)
_ERF_DENOMINATOR = (
    1.0,
    0.46064498648983654,
    0.0938746087651241,
    0.010705251871973175,
    0.0006937362332349159,
    2.0866484101019162e-05,
)
_ERFC_NUMERATOR = (
    1.0000000040359602,
    2.061955520865204,
    2.0992593823337997,
    1.3455554538253134,
    0.5886354962875683,
    0.1797075609580054,
    0.03757058056463302,
    0.004978896516372382,
    0.0003303856283625327,
)
_ERFC_DENOMINATOR = (
    1.0,
    3.1903347308491155,
    4.699166407972569,
    4.209915713927801,
    2.5397866492904284,
    1.0763323272817893,
    0.32293580156458074,
    0.06688491638773214,
    0.008824864315677411,
    0.0005855932791244992,
)


def _polynomial(xp: Any, out: Array, x: Array, coefficients: tuple[float, ...]) -> None:
    """Write a polynomial in x to out, by Horner's rule."""
    xp.multiply(x, coefficients[-1], out=out)
    for coefficient in coefficients[-2:0:-1]:
        xp.add(out, coefficient, out=out)
        xp.multiply(out, x, out=out)
    xp.add(out, coefficients[0], out=out)


def write_erf(xp: Any, out: Array, x: Array) -> None:
    """Write erf(x) to out, within 1e-7 in float32 and 5e-16 in float64; out may not be x."""
    if out.dtype == "float32":
        _polynomial(xp, out, xp.square(x), ARTANH_ERF)
        xp.multiply(out, x, out=out)
        xp.tanh(out, out=out)
    else:
        out[...] = _erf_float64(xp, x)


def _erf_float64(xp: Any, x: Array) -> Array:
    """Return erf(x) to full float64 accuracy from one fit on each side of 1."""

    def ratio(at: Array, numerator: tuple[float, ...], denominator: tuple[float, ...]) -> Array:
        above, below = xp.empty_like(at), xp.empty_like(at)
        _polynomial(xp, above, at, numerator)
        _polynomial(xp, below, at, denominator)
        return above / below

    near = x * ratio(xp.minimum(xp.square(x), 1), _ERF_NUMERATOR, _ERF_DENOMINATOR)
    distance = xp.minimum(xp.absolute(x), 6)  # 1 - erf(6) is less than half a unit of 1
    far = 1 - xp.exp(-xp.square(distance)) * ratio(distance, _ERFC_NUMERATOR, _ERFC_DENOMINATOR)
    return xp.where(xp.absolute(x) < 1, near, xp.copysign(far, x))


@kernel("Erf")
@widened
def erf(xp: Any, x: Array) -> Array:
    """Return the error function of x."""
    return blockwise(xp, write_erf, x)
