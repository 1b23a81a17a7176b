"""Pools over windows or the whole image, and their gradients."""

import functools
import math
from collections.abc import Sequence
from typing import Any

from .precision import widened
from .registry import Array, KernelDoesNotApply, composite_kernel, kernel
from .windows import Windows, padded, windows

_ALL = (slice(None), slice(None))


@kernel("MaxPool")
@widened
def max_pool(
    xp: Any,
    x: Array,
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    storage_order: int = 0,
    outputs: int = 1,
) -> Array | tuple[Array, Array]:
    """Return the largest element of each window, and its index in the flattened x if wanted.

    x: (batch, channels, *spatial); of equal elements the first counts, of NaNs too.
    """
    over = windows(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    least = -math.inf if x.dtype.kind == "f" else xp.iinfo(x.dtype).min
    image = padded(xp, x, (0, *over.begins), (0, *over.ends), least)
    met = [image[(*_ALL, *part)] for _, part in over.taps()]
    y = functools.reduce(xp.maximum, met[1:], met[0])
    if outputs < 2:
        return y
    return y, _indices_of_largest(xp, x.shape, over, met, y, storage_order)


def _indices_of_largest(
    xp: Any, shape: tuple[int, ...], over: Windows, met: list[Array], y: Array, storage_order: int
) -> Array:
    """Return for each window the index of the first element that is y, in row-major order.

    storage_order 1 counts the spatial axes in column-major order.
    """
    sizes, rank = shape[2:], len(shape) - 2
    order = range(rank) if storage_order else range(rank)[::-1]
    steps, step = [0] * rank, 1
    for axis in order:
        steps[axis], step = step, step * sizes[axis]
    # the highest rank among the taps that hold y belongs to the first of them
    count = len(met)
    ranks: Any = xp.zeros(y.shape, "uint8" if count < 256 else "int32")
    has_nan = y.dtype.kind == "f" and bool(xp.isnan(y).any())
    is_padded = any(over.begins) or any(over.ends)
    inside = padded(xp, xp.ones((1, *sizes), bool), over.begins, over.ends, False)
    offsets = []
    for i, (values, (tap, part)) in enumerate(zip(met, over.taps(), strict=True)):
        here = values == y
        if has_nan:
            here |= xp.isnan(values)
        if is_padded:
            here &= inside[(slice(None), *part)]
        xp.maximum(ranks, here * ranks.dtype.type(count - i), out=ranks)
        offsets.append(sum(t * d * n for t, d, n in zip(tap, over.dilations, steps, strict=True)))
    found = xp.asarray([0, *offsets[::-1]])[ranks]
    for axis in range(rank):
        first = xp.arange(over.outputs[axis]) * over.strides[axis] - over.begins[axis]
        found += (first * steps[axis]).reshape(-1, *[1] * (rank - 1 - axis))
    planes = xp.arange(shape[0] * shape[1]) * math.prod(sizes)
    found += planes.reshape(*shape[:2], *[1] * rank)
    return found


@composite_kernel("MaxPoolGrad")
@widened
def max_pool_grad(xp: Any, dy: Array, indices: Array, x_shape: Array) -> Array:
    """Add dy into zeros of shape x_shape (int64, 1-D) at flat row-major indices."""
    shape = x_shape.tolist()
    dx = xp.zeros(math.prod(shape), dy.dtype)
    xp.add.at(dx, indices.ravel(), dy.ravel())
    return dx.reshape(shape)


def _window_sizes(xp: Any, sizes: Sequence[int], over: Windows, padding: Sequence[int]) -> Array:
    """Return how many elements each window averages: those of x and of the given padding."""
    rank = len(sizes)
    counts: Any = 1
    for i, size in enumerate(sizes):
        starts = xp.arange(over.outputs[i]).reshape(-1, 1) * over.strides[i] - over.begins[i]
        at = starts + xp.arange(over.kernel[i]) * over.dilations[i]
        inside = (at >= -padding[i]) & (at < size + padding[i + rank])
        counts = counts * inside.sum(axis=1).reshape(-1, *[1] * (rank - 1 - i))
    return counts


def _average_windows(
    xp: Any,
    sizes: Sequence[int],
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str,
    ceil_mode: int,
    count_include_pad: int,
) -> tuple[Windows, Array]:
    """Place the windows of an average pool; return them and how many elements each has."""
    over = windows(sizes, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    padding: Sequence[int] = [0] * (2 * len(sizes))
    if count_include_pad and auto_pad != "NOTSET":
        padding = (*over.begins, *over.ends)
    elif count_include_pad and pads:  # without what ceil_mode lets hang over
        padding = pads
    return over, _window_sizes(xp, sizes, over, padding)


@kernel("AveragePool")
@widened
def average_pool(
    xp: Any,
    x: Array,
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
) -> Array:
    """Return the average of each window of x: (batch, channels, *spatial)."""
    over, counts = _average_windows(
        xp, x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode,
        count_include_pad,
    )  # fmt: skip
    image = padded(xp, x, (0, *over.begins), (0, *over.ends))
    met = [image[(*_ALL, *part)] for _, part in over.taps()]
    y = xp.array(met[0])
    for values in met[1:]:
        y += values
    y /= counts.astype(y.dtype)
    return y


@composite_kernel("AveragePoolGrad")
@widened
def average_pool_grad(
    xp: Any,
    dy: Array,
    x_shape: Array,
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    ceil_mode: int = 0,
    count_include_pad: int = 0,
) -> Array:
    """Spread dy evenly over each window of an array of shape x_shape (int64, 1-D)."""
    batch, channels, *sizes = x_shape.tolist()
    over, counts = _average_windows(
        xp, sizes, kernel_shape, strides, dilations, pads, "NOTSET", ceil_mode, count_include_pad
    )
    share = dy / counts.astype(dy.dtype)
    extents = [b + n + e for b, n, e in zip(over.begins, sizes, over.ends, strict=True)]
    dx = xp.zeros_like(share, shape=(batch, channels, *extents))
    for _, part in over.taps():
        dx[(*_ALL, *part)] += share
    inside = tuple(slice(b, b + n) for b, n in zip(over.begins, sizes, strict=True))
    return dx[(*_ALL, *inside)]


@kernel("LpPool")
@widened
def lp_pool(
    xp: Any,
    x: Array,
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    p: int = 2,
) -> Array:
    """Return the p-norm of each window of x: (batch, channels, *spatial); padding is zero."""
    over = windows(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    image = padded(xp, xp.abs(x) ** p, (0, *over.begins), (0, *over.ends))
    return sum(image[(*_ALL, *part)] for _, part in over.taps()) ** (1 / p)


@kernel("GlobalLpPool")
@widened
def global_lp_pool(xp: Any, x: Array, p: int = 2) -> Array:
    """Return the p-norm over the spatial axes of x: (batch, channels, *spatial), each then 1."""
    total = xp.sum(xp.abs(x) ** p, axis=tuple(range(2, x.ndim)), keepdims=True)
    return total ** (1 / p)


@kernel("GlobalAveragePool")
@widened
def global_average_pool(xp: Any, x: Array) -> Array:
    """Average the spatial axes of x: (batch, channels, *spatial), each down to 1."""
    axes = tuple(range(2, x.ndim))
    return xp.add.reduce(x, axis=axes, keepdims=True) / x.dtype.type(math.prod(x.shape[2:]))


@kernel("GlobalMaxPool")
def global_max_pool(xp: Any, x: Array) -> Array:
    """Return the largest element of the spatial axes of x: (batch, channels, *spatial)."""
    if not x.size and 0 in x.shape[2:]:
        if 0 not in x.shape[:2]:
            raise ValueError(f"an image of {[*x.shape[2:]]} has no largest element")
        return xp.zeros((*x.shape[:2], *[1] * (x.ndim - 2)), x.dtype)
    return xp.max(x, axis=tuple(range(2, x.ndim)), keepdims=True)


@kernel("LRN")
@widened
def lrn(
    xp: Any, x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0
) -> Array:
    """Divide by (bias + alpha / size · Σ x²)^beta, summed over `size` neighboring channels."""
    if x.ndim < 2:
        raise KernelDoesNotApply
    before = (size - 1) // 2
    squares = padded(xp, xp.square(x), (before, *[0] * (x.ndim - 2)),
                     (size - 1 - before, *[0] * (x.ndim - 2)))  # fmt: skip
    total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return x / (bias + alpha / size * total) ** beta
