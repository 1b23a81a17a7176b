"""Resize: each axis samples the one before at computed places, a few taps for each sample."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from .precision import is_half, widen
from .registry import Array, KernelDoesNotApply, kernel


class _Sampling(NamedTuple):
    """How samples are placed and weighed, as the attributes of Resize say."""

    mode: str
    transform: str
    nearest: str
    cubic_coefficient: float
    exclude_outside: int


@kernel("Resize")
def resize(
    xp: Any,
    x: Array,
    roi: Array = None,
    scales: Array = None,
    sizes: Array = None,
    axes: Sequence[int] | None = None,
    mode: str = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    keep_aspect_ratio_policy: str = "stretch",
    antialias: int = 0,
    extrapolation_value: float = 0.0,
) -> Array:
    """Resample x along its axes; cropping, smoothing and integers between pixels are left out."""
    exact = mode == "nearest" or x.dtype.kind == "f" or is_half(x)
    if antialias or coordinate_transformation_mode == "tf_crop_and_resize" or not exact:
        raise KernelDoesNotApply
    where = range(x.ndim) if axes is None else [axis % x.ndim for axis in axes]
    factors, targets = _extents(x, where, scales, sizes, keep_aspect_ratio_policy)
    sampling = _Sampling(
        mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, exclude_outside
    )
    y = x if mode == "nearest" else widen(x)
    for axis, factor, target in zip(where, factors, targets, strict=True):
        if factor != 1 or target != x.shape[axis]:
            y = _resample(xp, y, axis, factor, target, sampling)
    return y.astype(x.dtype, copy=False)


def _extents(
    x: Array, axes: Sequence[int], scales: Array | None, sizes: Array | None, policy: str
) -> tuple[list[float], list[int]]:
    """Return the scale and the new size of each resized axis."""
    before = [x.shape[axis] for axis in axes]
    if sizes is None or not sizes.size:
        assert scales is not None
        factors = scales.tolist()
        return factors, [int(n * factor) for n, factor in zip(before, factors, strict=True)]
    after = sizes.tolist()
    factors = [new / old for new, old in zip(after, before, strict=True)]
    if policy == "stretch":
        return factors, after
    factor = min(factors) if policy == "not_larger" else max(factors)
    return [factor] * len(before), [int(factor * n + 0.5) for n in before]


def _places(xp: Any, before: int, after: int, factor: float, transform: str) -> Array:
    """Return where along the old axis each sample of the new one lies, in float64."""
    at = xp.arange(after, dtype="float64")
    length = factor * before
    if transform == "asymmetric":
        return at / factor
    if transform == "align_corners":
        return at * ((before - 1) / (length - 1)) if length != 1 else at * 0
    if transform == "pytorch_half_pixel" and after == 1:
        return at * 0
    centred = (at + 0.5) / factor - 0.5
    if transform == "half_pixel_symmetric":
        centred += before / 2 * (1 - after / length)
    return centred


def _nearest(xp: Any, places: Array, rounding: str) -> Array:
    """Round places to whole elements."""
    if rounding == "floor":
        return xp.floor(places)
    if rounding == "ceil":
        return xp.ceil(places)
    return xp.ceil(places - 0.5) if rounding == "round_prefer_floor" else xp.floor(places + 0.5)


def _cubic_weights(t: Array, a: float) -> list[Array]:
    """Return the weights of the four neighbours of a place a fraction t beyond the second."""

    def near(d: Array) -> Array:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Array) -> Array:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _resample(
    xp: Any, x: Array, axis: int, factor: float, target: int, sampling: _Sampling
) -> Array:
    """Resample one axis: a weighed sum of a few shifted gathers."""
    before = x.shape[axis]
    places = _places(xp, before, target, factor, sampling.transform)
    if sampling.mode == "nearest":
        at = xp.clip(_nearest(xp, places, sampling.nearest), 0, before - 1)
        return xp.take(x, at.astype("int64"), axis=axis)
    first = xp.floor(places)
    t = places - first
    if sampling.mode == "cubic":
        weights, first = _cubic_weights(t, sampling.cubic_coefficient), first - 1
    else:
        weights = [1 - t, t]
    taps = [first + i for i in range(len(weights))]
    if sampling.exclude_outside:
        weights = [w * ((p >= 0) & (p < before)) for w, p in zip(weights, taps, strict=True)]
        total = sum(weights)
        weights = [w / total for w in weights]
    y: Any = 0
    for weight, tap in zip(weights, taps, strict=True):
        at = xp.clip(tap, 0, before - 1).astype("int64")
        along = weight.astype(x.dtype).reshape(-1, *[1] * (x.ndim - 1 - axis))
        y = y + xp.take(x, at, axis=axis) * along
    return y
