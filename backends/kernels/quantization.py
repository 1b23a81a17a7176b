"""Numbers in steps, and products of such: exact sums, rounded once where they are quantized again.

Products are computed in float64, which holds every sum of products of 8 bits, and fast.
"""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
from onnx import TensorProto, helper

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


@kernel("QuantizeLinear")
def quantize_linear(
    xp: Any,
    x: Array,
    scale: Array,
    zero: Array = None,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> Array:
    """Return saturate(round(x / scale) + zero), half to even; floats of few bits are left out.

    NaN becomes the least number, as in onnxruntime; the standard does not tell.
    """
    named = helper.tensor_dtype_to_np_dtype
    dtype = zero.dtype if zero is not None else named(output_dtype or TensorProto.UINT8)
    if not _holds_integers(dtype):
        raise KernelDoesNotApply
    limits: Any = ml_dtypes.iinfo(dtype)  # type: ignore[no-untyped-call]
    least, most = int(limits.min), int(limits.max)
    scale, zero = (_along(xp, v, x, axis, block_size) for v in (scale, zero))
    if precision:
        x, scale = (v.astype(named(precision)) for v in (x, scale))
    elif x.dtype.kind == "i":
        x = x.astype(scale.dtype)
    y = xp.rint(x / scale).astype("float32")  # holds what is added to 16 bits
    if zero is not None:
        y = y + zero.astype("float32")
    y = xp.where(xp.isnan(y), xp.float32(least), xp.clip(y, least, most))
    return y.astype(dtype)


def _holds_integers(dtype: Any) -> bool:
    return bool(dtype.kind in "iu") or dtype.name in ("int2", "uint2", "int4", "uint4")


def _along(xp: Any, steps: Array, x: Array, axis: int, block_size: int) -> Array:
    """Return scales or zero points as they broadcast to x: one, or along an axis, or in blocks."""
    if steps is None or steps.ndim == 0:
        return steps
    if block_size:
        return xp.repeat(steps, block_size, axis=axis).take(range(x.shape[axis]), axis=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    return steps.reshape(shape if steps.size > 1 else ())


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
