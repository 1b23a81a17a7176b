"""Normalizations over batches, layers, groups and instances, their gradients, and Dropout.

Statistics of half-precision inputs are float32, as the default stash_type of the schemas asks.
"""

import math
from collections.abc import Sequence
from typing import Any

from .blocks import by_rows
from .channels import image_sums, is_channels_last
from .precision import widen, widened
from .reduction import reduce_to_shape
from .registry import Array, composite_kernel, kernel


def _average(xp: Any, x: Array, axes: tuple[int, ...]) -> Array:
    """Average over axes, which stay as 1."""
    return xp.add.reduce(x, axis=axes, keepdims=True) / x.dtype.type(
        math.prod(x.shape[axis] for axis in axes)
    )


def _standardized(xp: Any, x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, ...]:
    """Return x with mean 0 and variance 1 over axes, its mean and 1 / √(variance + epsilon)."""
    mean = _average(xp, x, axes)
    y = x - mean
    deviation = xp.sqrt(_average(xp, xp.square(y), axes) + x.dtype.type(epsilon))
    y /= deviation
    return y, mean, 1 / deviation


def _per_channel(xp: Any, v: Array, x: Array) -> Array:
    """Return v: (channels,) in a shape that broadcasts to x: (batch, channels, …).

    Where the channels lie side by side it is repeated for a row of them: NumPy runs through whole
    rows at once.
    """
    v = widen(v)
    if not is_channels_last(x) or not v.size:
        return v.reshape(-1, *[1] * (x.ndim - 2))
    row = xp.empty((x.shape[-1], v.size), v.dtype)
    row[...] = v
    return row.T.reshape(v.size, *[1] * (x.ndim - 3), x.shape[-1])


def _center(xp: Any, y: Array, x: Array, *factors: Array) -> tuple[Array, ...]:
    """Write x: (batch, channels, …) less the mean of each channel into y, in memory like it.

    Returns the mean, Σ y² and, for each factor f like x, Σ f and Σ f·y: (channels,). Images are in
    cache meanwhile, and each is summed by itself first: it rounds less.
    """
    sums = xp.empty((len(x), 1 + 2 * len(factors), math.prod(x.shape[1:2])), x.dtype)
    count = x.dtype.type(x.size // max(sums.shape[-1], 1))
    mean = xp.add.reduce(image_sums(xp, x), axis=0) / count
    middle = _per_channel(xp, mean, x)

    def work(y: Array, sums: Array, x: Array, *factors: Array) -> None:
        xp.subtract(x, middle, out=y)
        sums[:, 0] = image_sums(xp, xp.square(y))
        for k, factor in enumerate(factors):
            sums[:, 2 * k + 1] = image_sums(xp, factor)
            sums[:, 2 * k + 2] = image_sums(xp, factor * y)

    by_rows(xp, work, y, sums, x, *factors)
    return mean, *xp.add.reduce(sums, axis=0)


@kernel("LayerNormalization")
def layer_normalization(
    xp: Any,
    x: Array,
    scale: Array,
    b: Array = None,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> tuple[Array, Array, Array]:
    """Standardize over the axes from `axis` on, then scale and shift.

    Returns y, and in float32 the mean and 1 / √(variance + epsilon), reduced axes being 1.
    float64 inputs are computed in float64.
    """
    axes = tuple(range(axis % x.ndim, x.ndim))
    y, mean, inverse = _standardized(xp, widen(x), axes, epsilon)
    y *= widen(scale)
    if b is not None:
        y += widen(b)
    return (
        y.astype(x.dtype, copy=False),
        mean.astype("float32", copy=False),
        inverse.astype("float32", copy=False),
    )


@composite_kernel("LayerNormalizationGrad")
@widened
def layer_normalization_grad(
    xp: Any,
    dy: Array,
    x: Array,
    scale: Array,
    mean: Array,
    inv_std: Array,
    axis: int = -1,
    outputs: int = 2,
) -> Array | tuple[Array, Array]:
    """Return dx = inv_std·(g - mean(g) - n·mean(g·n)) and dscale = Σ dy·n.

    g is dy·scale and n the standardized x.
    """
    axes = tuple(range(axis % x.ndim, x.ndim))
    normal = x - mean.astype(x.dtype, copy=False)
    normal *= inv_std.astype(x.dtype, copy=False)
    dx = dy * scale
    correction = normal * _average(xp, dx * normal, axes)
    dx -= _average(xp, dx, axes)
    dx -= correction
    dx *= inv_std.astype(x.dtype, copy=False)
    if outputs < 2:
        return dx
    normal *= dy
    return dx, reduce_to_shape(xp, normal, xp.asarray(scale.shape))


@kernel("RMSNormalization")
@widened
def rms_normalization(
    xp: Any, x: Array, scale: Array, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Array:
    """Divide by the root mean square over the axes from `axis` on, then scale."""
    axes = tuple(range(axis % x.ndim, x.ndim))
    y = x / xp.sqrt(_average(xp, xp.square(x), axes) + x.dtype.type(epsilon))
    y *= scale
    return y


@kernel("BatchNormalization")
def batch_normalization(
    xp: Any,
    x: Array,
    scale: Array,
    b: Array,
    mean: Array,
    variance: Array,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    outputs: int = 1,
) -> Array | tuple[Array, Array, Array]:
    """Normalize each channel of x: (batch, channels, …) and shift it.

    Training takes the statistics of the batch and returns the running ones, too.
    """
    wide = widen(x)
    if not training_mode:
        factor = widen(scale) / xp.sqrt(widen(variance) + widen(variance).dtype.type(epsilon))
        y = wide * _per_channel(xp, factor, x)
        y += _per_channel(xp, widen(b) - widen(mean) * factor, x)
        return y.astype(x.dtype, copy=False)
    y = xp.empty_like(wide)
    found_mean, squares = _center(xp, y, wide)
    found_variance = squares / wide.dtype.type(x.size // max(scale.size, 1))
    factor = _per_channel(xp, widen(scale) / xp.sqrt(found_variance + wide.dtype.type(epsilon)), x)
    shift = _per_channel(xp, b, x)

    def scale_and_shift(y: Array) -> None:
        xp.add(xp.multiply(y, factor, out=y), shift, out=y)

    by_rows(xp, scale_and_shift, y)
    y = y.astype(x.dtype, copy=False)
    if outputs < 2:
        return y
    return y, running(mean, found_mean, momentum), running(variance, found_variance, momentum)


def running(old: Array, new: Array, momentum: float) -> Array:
    """Return what a running statistic becomes, in its dtype."""
    keep = widen(old).dtype.type(momentum)
    return (widen(old) * keep + new * (1 - keep)).astype(old.dtype, copy=False)


@composite_kernel("BatchNormalizationGrad")
def batch_normalization_grad(
    xp: Any, dy: Array, x: Array, scale: Array, epsilon: float = 1e-5
) -> tuple[Array, Array, Array]:
    """Return dx = scale·i·(dy - mean(dy) - n·mean(dy·n)), dscale = Σ dy·n and dbias = Σ dy.

    i = 1 / √(variance + epsilon) and n = (x - mean)·i by the statistics of the batch, the variance
    being biased; every sum runs over all axes but 1.
    """
    wide, centered = widen(dy), xp.empty_like(widen(x))
    _, squares, dbias, products = _center(xp, centered, widen(x), wide)
    count = wide.dtype.type(max(x.size // max(scale.size, 1), 1))  # of none, sums are 0
    inverse = 1 / xp.sqrt(squares / count + wide.dtype.type(epsilon))
    dscale = products * inverse
    factor = widen(scale) * inverse
    # what each channel has in common is multiplied first: fewer passes over dx
    slope = _per_channel(xp, factor * inverse * dscale / -count, x)
    offset, factor = _per_channel(xp, factor * dbias / count, x), _per_channel(xp, factor, x)

    def combine(centered: Array, dy: Array) -> None:
        xp.subtract(xp.multiply(centered, slope, out=centered), offset, out=centered)
        xp.add(centered, dy * factor, out=centered)

    by_rows(xp, combine, centered, wide)
    return (
        centered.astype(x.dtype, copy=False),
        dscale.astype(scale.dtype, copy=False),
        dbias.astype(scale.dtype, copy=False),
    )


@kernel("GroupNormalization")
@widened
def group_normalization(
    xp: Any,
    x: Array,
    scale: Array,
    b: Array,
    num_groups: int,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Array:
    """Standardize each group of channels of x: (batch, channels, …), then scale and shift."""
    groups = x.reshape(*x.shape[:1], num_groups, math.prod(x.shape[1:]) // num_groups)
    y = _standardized(xp, groups, (2,), epsilon)[0].reshape(x.shape)
    y *= _per_channel(xp, scale, x)
    y += _per_channel(xp, b, x)
    return y


@kernel("InstanceNormalization")
@widened
def instance_normalization(
    xp: Any, x: Array, scale: Array, b: Array, epsilon: float = 1e-5
) -> Array:
    """Standardize each channel of each image of x: (batch, channels, …), then scale and shift."""
    y = _standardized(xp, x, tuple(range(2, x.ndim)), epsilon)[0]
    y *= _per_channel(xp, scale, x)
    y += _per_channel(xp, b, x)
    return y


@kernel("MeanVarianceNormalization")
@widened
def mean_variance_normalization(xp: Any, x: Array, axes: Sequence[int] = (0, 2, 3)) -> Array:
    """Return (x - mean) / (√variance + 10⁻⁹) over axes."""
    over = tuple(axes)
    y = x - _average(xp, x, over)
    y /= xp.sqrt(_average(xp, xp.square(y), over)) + x.dtype.type(1e-9)
    return y


@kernel("LpNormalization")
@widened
def lp_normalization(xp: Any, x: Array, axis: int = -1, p: int = 2) -> Array:
    """Divide by the 1-norm or the 2-norm along an axis; zeros stay zeros."""
    powers = xp.abs(x) if p == 1 else xp.square(x)
    total = xp.sum(powers, axis=axis, keepdims=True)
    norm = total if p == 1 else xp.sqrt(total)
    return x / xp.where(norm == 0, x.dtype.type(1), norm)


@kernel("Dropout")
def dropout(
    xp: Any,
    x: Array,
    ratio: Array = None,
    training_mode: Array = None,
    seed: int | None = None,
    outputs: int = 1,
) -> Array | tuple[Array, Array]:
    """Return x·mask / (1 - ratio) and the mask when training, else x and a mask of ones.

    With a seed it draws what onnx.reference draws.
    """
    rate = 0.5 if ratio is None else float(ratio.item())
    if training_mode is None or not training_mode.item() or rate == 0:
        return (x, xp.ones(x.shape, dtype=bool)) if outputs > 1 else x
    if seed is None:
        drawn = xp.random.default_rng().random(x.shape, dtype="float32")
    else:
        drawn = xp.random.RandomState(seed).uniform(0, 1, x.shape)
    mask = drawn >= rate
    kept = x * mask.astype(x.dtype)
    kept *= x.dtype.type(1 / (1 - rate) if rate < 1 else 0)
    return (kept, mask) if outputs > 1 else kept
