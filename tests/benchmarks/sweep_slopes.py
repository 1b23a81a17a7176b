"""Central differences along random directions, and whether they can be trusted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sweep_cases import Arrays

DIRECTIONS = 3


@dataclass(frozen=True)
class Expected:
    """Central differences of <cotangent, output> along directions."""

    cotangent: np.ndarray
    directions: list[np.ndarray]
    slopes: list[float]
    noise: float


def differences(
    forward: Callable[[Arrays], Arrays], feeds: Arrays, source: str, target: str
) -> Expected | str:
    """Difference the reference; a reason where two step sizes disagree."""
    rng = np.random.default_rng(3)
    shape = np.asarray(forward(feeds)[target]).shape
    cotangent = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)

    def along(direction: np.ndarray, step: float, ends: tuple[int, int] = (-1, 1)) -> float:
        values = []
        for end in ends:
            moved = feeds | {source: feeds[source] + end * step * direction}
            values.append(np.asarray(forward(moved)[target], np.float64) * cotangent)
        return float((values[1] - values[0]).sum() / ((ends[1] - ends[0]) * step))

    directions = [rng.uniform(-1, 1, feeds[source].shape) for _ in range(DIRECTIONS)]
    candidates = []
    for step in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
        candidates.append([along(d, step) for d in directions])
    best: tuple[float, list[float]] | None = None
    for fine, coarse in zip(candidates, candidates[1:], strict=False):
        if not np.all(np.isfinite([fine, coarse])):
            continue
        if not np.any(fine) and np.any(candidates[-1]):
            continue  # so small a step is lost where the reference rounds to half precision
        scale = max(1e-3, float(np.abs(coarse).max()))
        gap = float(np.abs(np.subtract(fine, coarse)).max()) / scale
        if best is None or gap < best[0]:
            best = (gap, fine)
    if best is None:
        return "the differences are not finite"
    if best[0] > 3e-2:
        return f"differences of two step sizes disagree by {best[0]:.1%}"
    bends = [
        max(abs(along(d, step, (0, 1)) - along(d, step, (-1, 0))) for d in directions)
        for step in (1e-3, 1e-5)
    ]
    if min(bends) > 3e-2 * max(1e-3, float(np.abs(best[1]).max())):
        return "a kink: the slopes to its two sides differ, and either may be given"
    return Expected(cotangent, directions, best[1], best[0])
