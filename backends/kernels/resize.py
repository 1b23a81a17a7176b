"""Resize: each axis samples the one before at computed places, a few taps for each sample."""

from collections.abc import Sequence
from math import floor, inf, isfinite
from typing import Any, NamedTuple

from .precision import is_half, widen
from .registry import Array, KernelDoesNotApply, kernel

_Crop = tuple[float, float]
"""Where a crop begins and ends, as shares of the axis."""


class _Sampling(NamedTuple):
    """How samples are placed and weighed, as the attributes of Resize say."""

    mode: str
    transform: str
    nearest: str
    cubic_coefficient: float
    exclude_outside: int
    antialias: int
    extrapolation: float


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
    """Resample x along its axes; mixing integers is left out."""
    if mode != "nearest" and not (x.dtype.kind == "f" or is_half(x)):
        raise KernelDoesNotApply
    where = range(x.ndim) if axes is None else [axis % x.ndim for axis in axes]
    factors, targets = _extents(x, where, scales, sizes, keep_aspect_ratio_policy)
    if 0 in targets:  # no place is sampled, and a scale of 0 has no inverse
        after = dict(enumerate(x.shape)) | dict(zip(where, targets, strict=True))
        return xp.zeros([*after.values()], x.dtype)
    transform = coordinate_transformation_mode
    ends: list[_Crop | None] = [None] * len(factors)
    if transform == "tf_crop_and_resize":
        starts, stops = roi.astype("float64").reshape(2, -1).tolist()
        if not all(map(isfinite, (*starts, *stops))):
            raise ValueError(f"roi must be finite, got {[*starts, *stops]}")
        ends = list(zip(starts, stops, strict=True))
    sampling = _Sampling(
        mode,
        transform,
        nearest_mode,
        cubic_coeff_a,
        exclude_outside,
        antialias,
        extrapolation_value,
    )
    y = x if mode == "nearest" else widen(x)
    for axis, factor, target, crop in zip(where, factors, targets, ends, strict=True):
        if factor != 1 or target != x.shape[axis] or crop is not None:
            y = _resample(xp, y, axis, factor, target, crop, sampling)
    return y.astype(x.dtype, copy=False)


def _extents(
    x: Array, axes: Sequence[int], scales: Array | None, sizes: Array | None, policy: str
) -> tuple[list[float], list[int]]:
    """Return the scale and the new size of each resized axis."""
    before = [x.shape[axis] for axis in axes]
    if sizes is None or not sizes.size:
        assert scales is not None
        factors = scales.tolist()
        if not all(0 < factor < inf for factor in factors):
            raise ValueError(f"scales must be positive and finite, got {factors}")
        return factors, [int(n * factor) for n, factor in zip(before, factors, strict=True)]
    after = sizes.tolist()
    pairs = list(zip(after, before, strict=True))
    if policy != "not_larger" and any(new and not old for new, old in pairs):
        raise ValueError(f"no elements, of sizes {before}, cannot be resized to {after}")
    if policy == "stretch":
        return [new / old if old else 1.0 for new, old in pairs], after
    shares = [new / old for new, old in pairs if old] or [1.0]  # none limits an axis of size 0
    factor = min(shares) if policy == "not_larger" else max(shares)
    return [factor] * len(before), [int(factor * n + 0.5) for n in before]


def _places(
    xp: Any, before: int, after: int, factor: float, crop: _Crop | None, transform: str
) -> Array:
    """Return where along the old axis each sample of the new one lies, in float64."""
    at = xp.arange(after, dtype="float64")
    length = factor * before
    if crop is not None:
        start, end = (share * (before - 1) for share in crop)
        return start + (end - start) * (at / (length - 1) if length != 1 else at + 0.5)
    if transform == "asymmetric":
        return at / factor
    if transform == "align_corners":
        return at * ((before - 1) / (length - 1)) if length != 1 else at * 0
    if transform == "pytorch_half_pixel" and after == 1:
        return at * 0
    centered = (at + 0.5) / factor - 0.5
    if transform == "half_pixel_symmetric":
        centered += before / 2 * (1 - after / length)
    return centered


def _nearest(xp: Any, places: Array, rounding: str) -> Array:
    """Round places to whole elements."""
    if rounding == "floor":
        return xp.floor(places)
    if rounding == "ceil":
        return xp.ceil(places)
    return xp.ceil(places - 0.5) if rounding == "round_prefer_floor" else xp.floor(places + 0.5)


def _weights(xp: Any, distance: Array, sampling: _Sampling) -> Array:
    """Return the kernel's value at the distance of a neighbor: a triangle, or Keys' cubic."""
    d = xp.abs(distance)
    if sampling.mode == "linear":
        return xp.maximum(1 - d, 0)
    a = sampling.cubic_coefficient
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return xp.where(d <= 1, near, xp.where(d < 2, far, 0.0))


def _resample(
    xp: Any,
    x: Array,
    axis: int,
    factor: float,
    target: int,
    crop: _Crop | None,
    sampling: _Sampling,
) -> Array:
    """Resample one axis: a weighed sum of a few shifted gathers."""
    before = x.shape[axis]
    places = _places(xp, before, target, factor, crop, sampling.transform)
    if sampling.mode == "nearest":
        at = xp.clip(_nearest(xp, places, sampling.nearest), 0, before - 1)
        y = xp.take(x, at.astype("int64"), axis=axis)
    else:
        y = _weighed(xp, x, axis, places, factor, sampling)
    if crop is None:
        return y
    outside = ((places < 0) | (places > before - 1)).reshape(-1, *[1] * (x.ndim - 1 - axis))
    return xp.where(outside, xp.asarray(sampling.extrapolation).astype(y.dtype), y)


def _weighed(
    xp: Any, x: Array, axis: int, places: Array, factor: float, sampling: _Sampling
) -> Array:
    """Sum the neighbors of each place, which antialiasing makes more where the axis shrinks."""
    before = x.shape[axis]
    narrow = min(factor, 1.0) if sampling.antialias else 1.0
    start = floor((-2 if sampling.mode == "cubic" else -1) / narrow) + 1
    first = xp.floor(places)
    offsets = range(start, 2 - start)
    weights = [_weights(xp, narrow * (k - (places - first)), sampling) for k in offsets]
    taps = [first + k for k in offsets]
    if sampling.exclude_outside:
        weights = [w * ((p >= 0) & (p < before)) for w, p in zip(weights, taps, strict=True)]
    if sampling.exclude_outside or sampling.antialias:
        total = sum(weights)
        weights = [w / xp.where(total == 0, 1, total) for w in weights]
    y: Any = 0
    for weight, tap in zip(weights, taps, strict=True):
        at = xp.clip(tap, 0, before - 1).astype("int64")
        along = weight.astype(x.dtype).reshape(-1, *[1] * (x.ndim - 1 - axis))
        y = y + xp.take(x, at, axis=axis) * along
    return y
