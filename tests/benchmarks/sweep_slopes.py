"""Central differences along random directions, and whether they can be trusted."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from sweep_cases import Arrays

DIRECTIONS = 3
FINE_STEPS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
COARSE_STEPS = (1e-4, 1e-3, 1e-2, 3e-2)
WIDE_STEPS = (1e-1, 3e-1)
"""For float64, for what computes in float32, and then for what rounds to half precision."""

KINK = "a kink: the slopes to its two sides differ, and either may be given"
JUMP = "a jump or infinite slope: differences of two step sizes disagree"
SHAPE = "the shape of the output jumps at this point"
INFINITE = "no finite output, or no finite slope"


@dataclass(frozen=True)
class Expected:
    """Central differences of <cotangent, output> along directions.

    Where the output is not finite the cotangent is 0, where the input is not finite the directions
    are, so that what a gradient is there does not count.
    """

    cotangent: np.ndarray
    directions: list[np.ndarray]
    slopes: list[float]
    noise: float

    def gap(self, gradient: np.ndarray, rounding: float) -> float:
        """Give the largest relative error of a gradient along the directions, beyond rounding."""
        gradient = np.where(self.directions[0] == 0, 0, gradient)
        errors = [
            (gradient * d).sum() - s for d, s in zip(self.directions, self.slopes, strict=True)
        ]
        scale = max(1e-9, np.abs(self.slopes).max(), np.abs(gradient).max(initial=0))
        return float(np.maximum(np.abs(errors) - rounding, 0).max() / scale)


def differences(
    forward: Callable[[Arrays], Arrays],
    feeds: Arrays,
    source: str,
    target: str,
    steps: Sequence[float] = FINE_STEPS,
    unit: float = 0.0,
) -> Expected | str:
    """Difference a forward run; a reason where the differences cannot be trusted.

    A run that rounds each number by `unit` of it, up or down at random, moves a central difference
    of step h by unit/h times the norm of what the cotangent meets: that much noise it has at least.
    """
    rng = np.random.default_rng(3)
    base = np.asarray(forward(feeds)[target], np.float64)
    drawn = rng.uniform(0.5, 1.5, base.shape) * rng.choice([-1, 1], base.shape)
    cotangent = np.asarray(np.where(np.isfinite(base), drawn, 0))
    movable = np.isfinite(feeds[source].astype(np.float64))
    if movable.shape == base.shape:
        movable &= np.isfinite(base)  # an elementwise operator's slope is not finite there, too
    if (base.size and not cotangent.any()) or not movable.any():
        return INFINITE
    directions = [
        np.asarray(np.where(movable, rng.uniform(-1, 1, movable.shape), 0))
        for _ in range(DIRECTIONS)
    ]

    def rise(direction: np.ndarray, step: float) -> np.ndarray:
        """Give what a step adds to <cotangent, output>, before it is summed."""
        moved = feeds | {source: feeds[source] + step * direction}
        output = np.asarray(forward(moved)[target], np.float64)
        if output.shape != base.shape:
            raise ShapeChangedError
        return np.where(cotangent == 0, 0, output - base) * cotangent

    moved = unit * float(np.linalg.norm(np.where(cotangent == 0, 0, base) * cotangent))
    settled = _settled(rise, directions, steps, moved)
    return settled if isinstance(settled, str) else Expected(cotangent, directions, *settled)


class ShapeChangedError(Exception):
    """The output has another shape beside the point."""


def _settled(
    rise: Callable[[np.ndarray, float], np.ndarray],
    directions: list[np.ndarray],
    steps: Sequence[float],
    rounding: float,
) -> tuple[list[float], float] | str:
    """Give the slopes and their noise, or the reason why there are none."""
    slopes: dict[float, list[float]] = {}
    bends: dict[float, float] = {}

    def settle(tried: Sequence[float]) -> tuple[float, float, list[float]] | str:
        for step in tried:
            sides = [(rise(d, -step), rise(d, step)) for d in directions]
            slopes[step] = [float((up - down).sum() / (2 * step)) for down, up in sides]
            bends[step] = max(abs(float((up + down).sum() / step)) for down, up in sides)
        return _steadiest(slopes, rounding)

    try:
        best = settle(steps)
    except ShapeChangedError:
        return SHAPE
    if isinstance(best, str):
        with suppress(Exception):  # so wide a step may leave what the operator takes
            best = settle(WIDE_STEPS)
    if isinstance(best, str):
        return best
    noise, chosen, found = best
    least = min(bends[1e-3], bends[steps[1]], bends[chosen])
    if least > 3e-2 * max(1e-5, float(np.abs(found).max())):
        return KINK
    return found, noise


def _steadiest(
    candidates: dict[float, list[float]], rounding: float
) -> tuple[float, float, list[float]] | str:
    """Choose the step where the slopes change least to the next larger step, rounding included."""
    best: tuple[float, float, list[float]] | None = None
    least = np.inf
    steps = list(candidates)
    for step, larger in zip(steps, steps[1:], strict=False):
        fine, coarse = candidates[step], candidates[larger]
        if not np.all(np.isfinite([fine, coarse])):
            continue
        if not np.any(fine) and np.any(candidates[1e-2]):
            continue  # so small a step is lost where the reference rounds to half precision
        scale = max(1e-5, float(np.abs(coarse).max()))
        gap = float(np.abs(np.subtract(fine, coarse)).max()) / scale
        noise = gap + rounding / (step * scale)
        if best is None or noise < best[0]:
            best, least = (noise, step, fine), gap
    if best is None:
        return INFINITE
    return JUMP if least > 3e-2 else best
