"""BatchNormalization in training mode, and its gradient, of images whose channels lie side by side.

Each pass over memory does all that can be done in it. Sums are float64, of two or four rows at
once: to add each number of float32 to them by itself takes longer.
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from ...compiler.graph.ir import Node
from ...compiler.opset import COMPOSITE_DOMAIN
from ..kernels.channels import is_channels_last
from ..kernels.normalization import running
from ..kernels.registry import KERNELS, Array, Kernel
from ..kernels.threads import in_parts
from .formulas import DTYPES, dtype_of
from .loops import loop, read, written
from .registry import compiled


@compiled("BatchNormalization")
def _bind(
    xp: Any, node: Node, attributes: Mapping[str, Any], fixed: Mapping[int, Array]
) -> Kernel | None:
    """Normalize by the statistics of the batch."""
    dtype, outputs = _dtype(node), attributes["outputs"]
    if dtype is None or not attributes["training_mode"] or outputs == 2:
        return None
    instead = partial(KERNELS["", "BatchNormalization"].function, xp, **attributes)
    sum_up, sum_squares, normalize = _sums(dtype), *_forward(dtype)
    epsilon, momentum = attributes["epsilon"], attributes["momentum"]

    def run(x: Array, scale: Array, b: Array, old_mean: Array, old_variance: Array) -> Any:
        if not is_channels_last(x) or not x.size:
            return instead(x, scale, b, old_mean, old_variance)
        images = _images(x)
        mean = _average(images, sum_up)
        middle = mean.astype(dtype)
        variance = _average(images, sum_squares, middle)
        factor = (scale / np.sqrt(variance + epsilon)).astype(dtype)
        y = np.empty_like(images)
        _run(normalize, (y, images), middle, factor, np.ascontiguousarray(b))
        if outputs == 1:
            return _like(x, y)
        pairs = (old_mean, mean), (old_variance, variance)
        return _like(x, y), *(running(old, new, momentum) for old, new in pairs)

    return run


@compiled("BatchNormalizationGrad", COMPOSITE_DOMAIN)
def _bind_gradient(
    xp: Any, node: Node, attributes: Mapping[str, Any], fixed: Mapping[int, Array]
) -> Kernel | None:
    """Find dx, dscale and dbias: see the NumPy kernel."""
    dtype = _dtype(node)
    if dtype is None:
        return None
    instead = partial(KERNELS[COMPOSITE_DOMAIN, node.op_type].function, xp, **attributes)
    sum_up, sum_products, combine = _sums(dtype), *_gradient(dtype)
    epsilon = attributes["epsilon"]

    def run(dy: Array, x: Array, scale: Array) -> tuple[Array, ...]:
        if not is_channels_last(x) or not x.size:
            return instead(dy, x, scale)
        images, slopes = _images(x), np.ascontiguousarray(_images(dy))
        middle = _average(images, sum_up).astype(dtype)
        sums = np.zeros((3, len(images), images.shape[2]))
        _run(sum_products, (*sums, images, slopes), middle)
        squares, products, dbias = sums.sum(1)
        count = images.shape[0] * images.shape[1]
        inverse = 1 / np.sqrt(squares / count + epsilon)
        factor, dscale = scale * inverse, products * inverse
        vectors = (factor * inverse * dscale / -count, factor, dbias / count)
        dx = np.empty_like(images)
        _run(combine, (dx, images, slopes), middle, *(v.astype(dtype) for v in vectors))
        return _like(x, dx), dscale.astype(dtype), dbias.astype(dtype)

    return run


def _dtype(node: Node) -> np.dtype | None:
    """Give the dtype of all that a node reads, images; None where they are none, or of others."""
    dtypes = {dtype_of(v) for v in node.reads()}
    images = node.first_input.shape is not None and len(node.first_input.shape) > 2
    return next(iter(dtypes)) if images and len(dtypes) == 1 and dtypes <= {*DTYPES} else None


def _images(x: Array) -> Array:
    """View x: (batch, channels, …) as (batch, rows, channels)."""
    return x.transpose(0, *range(2, x.ndim), 1).reshape(len(x), -1, x.shape[1])


def _like(x: Array, y: Array) -> Array:
    """View y: (batch, rows, channels) as x: (batch, channels, …)."""
    return y.reshape(len(x), *x.shape[2:], x.shape[1]).transpose(
        0, x.ndim - 1, *range(1, x.ndim - 1)
    )


def _average(images: Array, sum_up: Kernel, *vectors: Array) -> Array:
    """Sum up each image, and return the average of each channel, in float64."""
    sums = np.zeros((len(images), images.shape[2]))
    _run(sum_up, (sums, images), *vectors)
    return sums.sum(0) / (images.shape[0] * images.shape[1])


def _run(work: Kernel, images: tuple[Array, ...], *vectors: Array) -> None:
    """Run a loop over images, on all cores."""

    def part(start: int, stop: int) -> None:
        work(*(a[start:stop] for a in images), *vectors)

    in_parts(np, part, len(images[-1]), images[-1].nbytes)


@cache
def _sums(dtype: np.dtype) -> Kernel:
    return loop(_sum_up, written("float64", 2), read(dtype, 3))


@cache
def _forward(dtype: np.dtype) -> tuple[Kernel, Kernel]:
    images, vector = read(dtype, 3), read(dtype, 1)
    return (
        loop(_sum_squares, written("float64", 2), images, vector),
        loop(_normalize, written(dtype, 3), images, *[vector] * 3),
    )


@cache
def _gradient(dtype: np.dtype) -> tuple[Kernel, Kernel]:
    images, vector = read(dtype, 3), read(dtype, 1)
    return (
        loop(_sum_products, *[written("float64", 2)] * 3, images, images, vector),
        loop(_combine, written(dtype, 3), images, images, *[vector] * 4),
    )


def _sum_up(sums: Array, x: Array) -> None:
    """Add Σ x over the rows of each image."""
    images, rows, channels = x.shape
    for i in range(images):
        total = sums[i]
        for r in range(rows % 4):
            for c in range(channels):
                total[c] += x[i, r, c]
        for r in range(rows % 4, rows, 4):
            x0, x1, x2, x3 = x[i, r], x[i, r + 1], x[i, r + 2], x[i, r + 3]
            for c in range(channels):
                total[c] += (x0[c] + x1[c]) + (x2[c] + x3[c])


def _sum_squares(sums: Array, x: Array, mean: Array) -> None:
    """Add Σ (x - mean)² over the rows of each image."""
    images, rows, channels = x.shape
    for i in range(images):
        total = sums[i]
        for r in range(rows % 2):
            for c in range(channels):
                d = x[i, r, c] - mean[c]
                total[c] += d * d
        for r in range(rows % 2, rows, 2):
            x0, x1 = x[i, r], x[i, r + 1]
            for c in range(channels):
                d, e = x0[c] - mean[c], x1[c] - mean[c]
                total[c] += d * d + e * e


def _normalize(y: Array, x: Array, mean: Array, factor: Array, shift: Array) -> None:
    """Write (x - mean)·factor + shift into y."""
    images, rows, channels = x.shape
    for i in range(images):
        for r in range(rows):
            xr, yr = x[i, r], y[i, r]
            for c in range(channels):
                yr[c] = (xr[c] - mean[c]) * factor[c] + shift[c]


def _sum_products(
    squares: Array, products: Array, slopes: Array, x: Array, dy: Array, mean: Array
) -> None:
    """Add Σ (x - mean)², Σ (x - mean)·dy and Σ dy over the rows of each image."""
    images, rows, channels = x.shape
    for i in range(images):
        square, product, slope = squares[i], products[i], slopes[i]
        for r in range(rows % 2):
            for c in range(channels):
                d = x[i, r, c] - mean[c]
                square[c] += d * d
                product[c] += d * dy[i, r, c]
                slope[c] += dy[i, r, c]
        for r in range(rows % 2, rows, 2):
            x0, x1, dy0, dy1 = x[i, r], x[i, r + 1], dy[i, r], dy[i, r + 1]
            for c in range(channels):
                d, e = x0[c] - mean[c], x1[c] - mean[c]
                square[c] += d * d + e * e
                product[c] += d * dy0[c] + e * dy1[c]
                slope[c] += dy0[c] + dy1[c]


def _combine(
    dx: Array, x: Array, dy: Array, mean: Array, slope: Array, factor: Array, average: Array
) -> None:
    """Write (x - mean)·slope + (dy - average)·factor into dx."""
    images, rows, channels = x.shape
    for i in range(images):
        for r in range(rows):
            xr, dyr, dxr = x[i, r], dy[i, r], dx[i, r]
            for c in range(channels):
                dxr[c] = (xr[c] - mean[c]) * slope[c] + (dyr[c] - average[c]) * factor[c]
