"""Compare results within the tolerance of their dtype; it runs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...compiler.graph.types import dtype_name, is_float

TOLERANCES = {"float64": 1e-9, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""Allowed difference relative to the largest magnitude; of integers, strings and others, none."""

ROUNDING_UNITS = 8
"""Differences of so many units of rounding of the surrounding magnitude are noise."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two results are apart, relative to the largest magnitude."""

    error: float
    tolerance: float
    note: str = ""
    remark: str = ""
    """What a reader should know of results that agree."""

    @property
    def passed(self) -> bool:
        """Tell whether the difference is within the tolerance."""
        return not self.note and self.error <= self.tolerance


def compare(
    actual: Any, expected: Any, tolerances: Mapping[str, float], magnitude: float = 0.0
) -> Difference:
    """Compare two results: tensors, sequences (lists) or optionals (None where empty).

    Args:
        actual: the result judged.
        expected: the result it is compared with.
        tolerances: allowed relative difference by dtype name, over those of `TOLERANCES`.
        magnitude: the magnitude that surrounds the values; a few units of its rounding are noise.
    """
    if isinstance(actual, list) and isinstance(expected, list) and len(actual) == len(expected):
        pairs = zip(actual, expected, strict=True)
        each = [compare(a, b, tolerances, magnitude) for a, b in pairs]
        worst = max(each, key=lambda d: (bool(d.note), d.error - d.tolerance), default=_same())
        remarks = [d.remark for d in each if d.remark]
        return replace(worst, remark=remarks[0]) if remarks else worst
    if actual is None and expected is None:
        return _same()
    if not (hasattr(actual, "shape") and hasattr(expected, "shape")):
        return Difference(np.inf, 0.0, f"{_kind(actual)} and {_kind(expected)}")
    return _compare_tensors(actual, expected, tolerances, magnitude)


def _compare_tensors(
    actual: Any, expected: Any, tolerances: Mapping[str, float], magnitude: float
) -> Difference:
    if actual.dtype != expected.dtype:
        names = dtype_name(actual.dtype), dtype_name(expected.dtype)
        return Difference(np.inf, 0.0, "dtypes {} and {}".format(*names))
    if actual.shape != expected.shape:
        return Difference(np.inf, 0.0, f"shapes {list(actual.shape)} and {list(expected.shape)}")
    name = dtype_name(actual.dtype)
    tolerance = tolerances.get(name, TOLERANCES.get(name, 0.0))
    if actual.dtype.kind in "OUSbc":
        return Difference(0.0 if np.array_equal(actual, expected) else np.inf, tolerance)
    noise = 0.0
    if is_float(actual.dtype):
        noise = ROUNDING_UNITS * magnitude * epsilon(actual.dtype)
    return difference(actual.astype("f8"), expected.astype("f8"), tolerance, noise)


def difference(
    actual: np.ndarray, expected: np.ndarray, tolerance: float, noise: float = 0.0
) -> Difference:
    """Compare float64 arrays of one shape; infinities and NaN must stand at the same places.

    That they do is remarked: it says that there was nothing to compare, not that all is well.
    """
    finite = np.isfinite(expected)
    odd = ~finite & ~(np.isnan(actual) & np.isnan(expected)) & (actual != expected)
    lost = finite & ~np.isfinite(actual)
    if odd.any() or lost.any():
        count = int((odd | lost).sum())
        return Difference(np.inf, tolerance, f"{count} NaN or infinite on one side")
    apart = float(np.abs(actual[finite] - expected[finite]).max(initial=0.0))
    scale = magnitude_of(expected)
    error = apart / scale if scale else np.inf
    if apart <= noise:
        error = min(error, tolerance) if scale else 0.0
    count = int((~finite).sum())
    remark = f"{count} of {finite.size} NaN or infinite on both sides" if count else ""
    return Difference(error, tolerance, remark=remark)


def magnitude_of(array: Any) -> float:
    """Give the largest finite magnitude of a numeric array, 0 where there is none."""
    if not hasattr(array, "dtype") or array.dtype.kind in "OUS":
        return 0.0
    wide = np.abs(array.astype("f8"))
    return float(wide[np.isfinite(wide)].max(initial=0.0))


def epsilon(dtype: np.dtype) -> float:
    """Give the distance of 1 to the next number."""
    return 2.0**-7 if dtype.name == "bfloat16" else float(np.finfo(dtype).eps)


def _same() -> Difference:
    return Difference(0.0, 0.0)


def _kind(result: Any) -> str:
    return "nothing" if result is None else "a list" if isinstance(result, list) else "a tensor"
