"""Activation functions and the gradients of those that are slow as separate operators."""

import math
from typing import Any

from .blocks import BLOCK_BYTES, blockwise
from .elementwise import where
from .erf import write_erf
from .precision import widened
from .registry import Array, composite_kernel, kernel

_SQRT_HALF = math.sqrt(0.5)
_TANH_SCALE = math.sqrt(2 / math.pi)  # 0.5·(1 + tanh(scale·(x + 0.044715·x³))) approximates Φ(x)
_TANH_CUBIC = 0.044715


def _write_relu_grad(xp: Any, out: Array, y: Array, dy: Array) -> None:
    """Write dy to out, with all its bits off where y <= 0."""
    bits = f"int{8 * y.itemsize}"
    kept = (y <= 0).view("int8") - xp.int8(1)  # all ones, or 0
    xp.bitwise_and(kept.astype(bits), dy.view(bits), out=out.view(bits))


@kernel("Relu")
def relu(xp: Any, x: Array) -> Array:
    """Return max(x, 0)."""
    if x.size < 4096 or xp.__name__ != "numpy":
        return xp.maximum(x, 0)
    zeros = xp.zeros(BLOCK_BYTES // x.itemsize, x.dtype)  # NumPy is faster with these than with 0

    def write(xp: Any, out: Array, x: Array) -> None:
        xp.maximum(x, zeros[: x.size].reshape(x.shape), out=out)

    return blockwise(xp, write, x)


@composite_kernel("ReluGrad")
def relu_grad(xp: Any, dy: Array, y: Array) -> Array:
    """Return dy, but 0 where y <= 0; an infinite dy gives 0 there, a NaN of y lets dy through."""
    return blockwise(xp, _write_relu_grad, y, dy)


@kernel("LeakyRelu")
@widened
def leaky_relu(xp: Any, x: Array, alpha: float = 0.01) -> Array:
    """Return x where it is positive and alpha·x elsewhere."""
    return where(xp, x >= 0, x, alpha * x)


@kernel("PRelu")
@widened
def prelu(xp: Any, x: Array, slope: Array) -> Array:
    """Return x where it is positive and slope·x elsewhere; slope broadcasts to x."""
    return where(xp, x >= 0, x, slope * x)


@kernel("ThresholdedRelu")
@widened
def thresholded_relu(xp: Any, x: Array, alpha: float = 1.0) -> Array:
    """Return x where it exceeds alpha and 0 elsewhere."""
    return where(xp, x > alpha, x, x.dtype.type(0))


@kernel("Elu")
@widened
def elu(xp: Any, x: Array, alpha: float = 1.0) -> Array:
    """Return x where it is positive and alpha·(exp(x) - 1) elsewhere."""
    return where(xp, x > 0, x, alpha * xp.expm1(xp.minimum(x, 0)))


@kernel("Celu")
@widened
def celu(xp: Any, x: Array, alpha: float = 1.0) -> Array:
    """Return max(0, x) + min(0, alpha·(exp(x / alpha) - 1))."""
    return xp.maximum(x, 0) + xp.minimum(alpha * xp.expm1(x / alpha), 0)


@kernel("Selu")
@widened
def selu(xp: Any, x: Array, alpha: float, gamma: float) -> Array:
    """Return gamma·x where x is positive and gamma·alpha·(exp(x) - 1) elsewhere."""
    return gamma * where(xp, x > 0, x, alpha * xp.expm1(xp.minimum(x, 0)))


@kernel("HardSigmoid")
@widened
def hard_sigmoid(xp: Any, x: Array, alpha: float = 0.2, beta: float = 0.5) -> Array:
    """Return alpha·x + beta, limited to 0 and 1."""
    return xp.minimum(xp.maximum(alpha * x + beta, 0), 1)


@kernel("HardSwish")
@widened
def hard_swish(xp: Any, x: Array) -> Array:
    """Return x times x / 6 + 0.5, limited to 0 and 1."""
    return x * hard_sigmoid(xp, x, 1 / 6, 0.5)


@kernel("Shrink")
@widened
def shrink(xp: Any, x: Array, bias: float = 0.0, lambd: float = 0.5) -> Array:
    """Move x by bias towards 0 outside [-lambd, lambd]; return 0 inside."""
    if x.dtype.kind in "iu":  # int(bias) as the conversion to the dtype of x would truncate it
        bias = int(bias)
    outside = where(xp, x > lambd, x - x.dtype.type(bias), x.dtype.type(0))
    return where(xp, x < -lambd, x + x.dtype.type(bias), outside)


@kernel("Softsign")
@widened
def softsign(xp: Any, x: Array) -> Array:
    """Return x / (1 + |x|)."""
    return x / (1 + xp.absolute(x))


def _write_sigmoid(xp: Any, out: Array, x: Array) -> None:
    """Write 1 / (1 + exp(-x)) to out; an overflow of exp gives 0, as it should."""
    xp.negative(x, out=out)
    xp.exp(out, out=out)
    xp.add(out, 1, out=out)
    xp.reciprocal(out, out=out)


def _write_softplus(xp: Any, out: Array, x: Array) -> None:
    """Write log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)) to out."""
    xp.absolute(x, out=out)
    xp.negative(out, out=out)
    xp.exp(out, out=out)
    xp.log1p(out, out=out)
    xp.add(out, xp.maximum(x, 0), out=out)


@kernel("Sigmoid")
@widened
def sigmoid(xp: Any, x: Array) -> Array:
    """Return 1 / (1 + exp(-x))."""
    return blockwise(xp, _write_sigmoid, x)


@kernel("Softplus")
@widened
def softplus(xp: Any, x: Array) -> Array:
    """Return log(1 + exp(x))."""
    return blockwise(xp, _write_softplus, x)


@kernel("Swish")
@widened
def swish(xp: Any, x: Array, alpha: float = 1.0) -> Array:
    """Return x·sigmoid(alpha·x)."""

    def write(xp: Any, out: Array, x: Array) -> None:
        _write_sigmoid(xp, out, x if alpha == 1 else alpha * x)
        xp.multiply(out, x, out=out)

    return blockwise(xp, write, x)


@kernel("SwiGLU")
@widened
def swiglu(xp: Any, gate: Array, x: Array, alpha: float = 1.0) -> Array:
    """Return gate·sigmoid(alpha·gate)·x; gate and x have one shape."""
    return swish(xp, gate, alpha) * x


@kernel("Mish")
@widened
def mish(xp: Any, x: Array) -> Array:
    """Return x·tanh(log(1 + exp(x)))."""

    def write(xp: Any, out: Array, x: Array) -> None:
        _write_softplus(xp, out, x)
        xp.tanh(out, out=out)
        xp.multiply(out, x, out=out)

    return blockwise(xp, write, x)


def _write_gaussian_cdf(xp: Any, out: Array, x: Array) -> None:
    """Write Φ(x) = 0.5·(1 + erf(x / √2)) to out."""
    write_erf(xp, out, x * _SQRT_HALF)
    xp.add(out, 1, out=out)
    xp.multiply(out, 0.5, out=out)


def _write_tanh_inner(xp: Any, out: Array, x: Array) -> None:
    """Write tanh(scale·(x + 0.044715·x³)) to out."""
    xp.square(x, out=out)
    xp.multiply(out, _TANH_SCALE * _TANH_CUBIC, out=out)
    xp.add(out, _TANH_SCALE, out=out)
    xp.multiply(out, x, out=out)
    xp.tanh(out, out=out)


def _write_gelu(xp: Any, out: Array, x: Array) -> None:
    """Write x·Φ(x) to out."""
    _write_gaussian_cdf(xp, out, x)
    xp.multiply(out, x, out=out)


def _write_gelu_tanh(xp: Any, out: Array, x: Array) -> None:
    """Write 0.5·x·(1 + tanh(…)) to out."""
    _write_tanh_inner(xp, out, x)
    xp.add(out, 1, out=out)
    xp.multiply(out, x, out=out)
    xp.multiply(out, 0.5, out=out)


def _write_gelu_grad(xp: Any, out: Array, x: Array, dy: Array) -> None:
    """Write dy·(Φ(x) + x·φ(x)) to out, with φ the normal density."""
    _write_gaussian_cdf(xp, out, x)
    density = xp.square(x, out=xp.empty_like(out))
    xp.multiply(density, -0.5, out=density)
    xp.exp(density, out=density)
    xp.multiply(density, 1 / math.sqrt(2 * math.pi), out=density)
    xp.multiply(density, x, out=density)
    xp.add(out, density, out=out)
    xp.multiply(out, dy, out=out)


def _write_gelu_tanh_grad(xp: Any, out: Array, x: Array, dy: Array) -> None:
    """Write dy·(0.5·(1 + t) + 0.5·x·(1 - t²)·scale·(1 + 3·0.044715·x²)) to out.

    Beyond ±16, where t is ±1, x stands still: its powers overflow, and 0·∞ is no number.
    """
    x = xp.clip(x, -16, 16)
    t = xp.empty_like(out)
    _write_tanh_inner(xp, t, x)
    xp.square(x, out=out)
    xp.multiply(out, 3 * _TANH_CUBIC * _TANH_SCALE, out=out)
    xp.add(out, _TANH_SCALE, out=out)
    xp.multiply(out, x, out=out)
    xp.multiply(out, 1 - xp.square(t), out=out)
    xp.add(out, t, out=out)
    xp.add(out, 1, out=out)
    xp.multiply(out, 0.5, out=out)
    xp.multiply(out, dy, out=out)


@kernel("Gelu")
@widened
def gelu(xp: Any, x: Array, approximate: str = "none") -> Array:
    """Return x·Φ(x), exactly or by its tanh approximation."""
    return blockwise(xp, _write_gelu if approximate == "none" else _write_gelu_tanh, x)


@composite_kernel("GeluGrad")
@widened
def gelu_grad(xp: Any, dy: Array, x: Array, approximate: str = "none") -> Array:
    """Return dy times the derivative of Gelu at x."""
    write = _write_gelu_grad if approximate == "none" else _write_gelu_tanh_grad
    return blockwise(xp, write, x, dy)
