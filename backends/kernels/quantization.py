"""Products of quantized integers: exact sums, rounded once where they are quantized again.

Computed in float64, which holds every sum of products of 8 bits and has fast matrix products.
"""

from collections.abc import Sequence
from typing import Any

from .convolution import conv
from .registry import Array, KernelDoesNotApply, kernel


def _centred(x: Array, zero: Array, *shape: int) -> Array:
    """Return x − zero in float64; a list of zero points gets a shape first."""
    x = x.astype("float64")
    if zero is None:
        return x
    return x - (zero.reshape(shape) if zero.ndim == 1 and shape else zero).astype("float64")


def _as_int32(total: Array) -> Array:
    """Return whole numbers as int32, which wraps around."""
    return total.astype("int64").astype("int32")


def _quantized(xp: Any, total: Array, scale: Array, y_scale: Array, zero: Array) -> Array:
    """Return saturate(round(total · scale / y_scale) + zero) in float32, rounded half to even."""
    limits = xp.iinfo(zero.dtype)
    share = scale / y_scale.astype("float32")
    y = xp.rint(_as_int32(total).astype("float32") * share) + zero.astype("float32")
    return xp.clip(y, limits.min, limits.max).astype(zero.dtype)


def _product(xp: Any, a: Array, a_zero: Array, b: Array, b_zero: Array) -> Array:
    """Multiply matrices less their zero points: one for each row of a, for each column of b."""
    rows = (-1, 1) if a.ndim > 1 else ()
    return xp.matmul(_centred(a, a_zero, *rows), _centred(b, b_zero))


@kernel("DynamicQuantizeLinear")
def dynamic_quantize_linear(xp: Any, x: Array) -> tuple[Array, Array, Array]:
    """Round x to 256 steps from its least to its largest element, or 0 if that is beyond.

    Steps of nothing but zeros are 1 as in onnxruntime; the standard does not tell.
    """
    with_zero = xp.concatenate([x.ravel(), xp.zeros(1, x.dtype)])
    low, high = with_zero.min(), with_zero.max()
    span = high - low
    scale = xp.where(span == 0, xp.ones_like(span), span / xp.asarray(255, x.dtype))
    zero = xp.rint(xp.clip(-low / scale, 0, 255))
    y = xp.clip(xp.rint(x / scale) + zero, 0, 255)
    return y.astype("uint8"), xp.asarray(scale, x.dtype), xp.asarray(zero, "uint8")


@kernel("MatMulInteger")
def matmul_integer(
    xp: Any, a: Array, b: Array, a_zero: Array = None, b_zero: Array = None
) -> Array:
    """Multiply matrices of 8-bit integers; int32, which wraps around."""
    return _as_int32(_product(xp, a, a_zero, b, b_zero))


@kernel("QLinearMatMul")
def qlinear_matmul(
    xp: Any,
    a: Array,
    a_scale: Array,
    a_zero: Array,
    b: Array,
    b_scale: Array,
    b_zero: Array,
    y_scale: Array,
    y_zero: Array,
) -> Array:
    """Multiply quantized matrices and quantize the product; float8 is left out."""
    if y_zero.dtype.kind not in "iu":
        raise KernelDoesNotApply
    if a_scale.ndim == 1 and a.ndim > 1 and b.ndim > 1:
        a_scale = a_scale.reshape(-1, 1)
    scale = a_scale.astype("float32") * b_scale.astype("float32")
    return _quantized(xp, _product(xp, a, a_zero, b, b_zero), scale, y_scale, y_zero)


def _convolved(xp: Any, x: Array, w: Array, zeros: Sequence[Array], **places: Any) -> Array:
    """Convolve x and w less their zero points, of w one for each map."""
    x_zero, w_zero = zeros
    maps = (-1, *[1] * (w.ndim - 1))
    return conv(xp, _centred(x, x_zero, -1, 1), _centred(w, w_zero, *maps), **places)


@kernel("ConvInteger")
def conv_integer(
    xp: Any, x: Array, w: Array, x_zero: Array = None, w_zero: Array = None, **places: Any
) -> Array:
    """Convolve 8-bit integers; int32, which wraps around."""
    return _as_int32(_convolved(xp, x, w, (x_zero, w_zero), **places))


@kernel("QLinearConv")
def qlinear_conv(
    xp: Any,
    x: Array,
    x_scale: Array,
    x_zero: Array,
    w: Array,
    w_scale: Array,
    w_zero: Array,
    y_scale: Array,
    y_zero: Array,
    bias: Array = None,
    **places: Any,
) -> Array:
    """Convolve quantized numbers and quantize the sums; bias: int32, of scale x_scale · w_scale."""
    total = _convolved(xp, x, w, (x_zero, w_zero), **places)
    maps = (-1, *[1] * (w.ndim - 2))
    if bias is not None:
        total = total + bias.reshape(maps)
    scale = x_scale.reshape(()) * w_scale.reshape(maps)
    return _quantized(xp, total, scale, y_scale.reshape(()), y_zero.reshape(()))
