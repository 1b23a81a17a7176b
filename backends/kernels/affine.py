"""Sampling grids of affine maps."""

from typing import Any

from .precision import widened
from .registry import Array, kernel


@kernel("AffineGrid")
@widened
def affine_grid(xp: Any, theta: Array, size: Array, align_corners: int = 0) -> Array:
    """Return θ·(place, 1) for every place of a grid of coordinates in [-1, 1].

    theta: (batch, axes, axes + 1), size: (batch, channels, *spatial), the last axis is x;
    result: (batch, *spatial, axes). Places are the elements' centers, or with align_corners the
    outermost ones lie on ±1 (a single one on -1).
    """
    sizes = [int(n) for n in size[2:]]
    coordinates = []
    for n in sizes:
        steps = xp.arange(n, dtype=theta.dtype)
        place = steps * 2 / max(n - 1, 1) - 1 if align_corners else (2 * steps + 1) / n - 1
        coordinates.append(place.astype(theta.dtype))
    base = xp.stack(xp.meshgrid(*coordinates, indexing="ij")[::-1], axis=-1)
    base = base.reshape(-1, len(sizes))
    moved = xp.matmul(base, xp.swapaxes(theta[:, :, :-1], 1, 2)) + theta[:, None, :, -1]
    return moved.reshape(theta.shape[0], *sizes, len(sizes))
