"""How far results may be apart."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .evaluation import UNITS, evaluate, exact, rounding, rounding_at_random
from .program import Array, Program, every_block
from .verdict import Undecided, Wrong

NOISES = 3
"""How often roundings are drawn to see how far they move a result."""


def plain(result: Any) -> Any:
    """Give a result in float64 where it is a float."""
    array = np.asarray(result)
    return array.astype(np.float64) if array.dtype.name in UNITS else array


def unit_of(program: Program) -> float:
    """Give the coarsest rounding among the values of a program."""
    numbers = [n for block in every_block(program.block) for n in block.numbers()]
    return max(UNITS.get(program.dtypes[n], 0.0) for n in numbers)


def expected(program: Program, world: int) -> tuple[list[Array], list[float]]:
    """Give the outputs by formula, and how far a runtime's may be from each."""
    unit = unit_of(program)
    is_exact = unit <= UNITS["float64"]
    values = evaluate(program, world, exact if is_exact else rounding(program.dtypes))
    rng = program.generator(world)
    spreads = [0.0] * len(values)
    for _ in range(NOISES):
        noisy = evaluate(program, world, rounding_at_random(program, rng))
        for k, (a, b) in enumerate(zip(values, noisy, strict=True)):
            if a.shape != b.shape:
                raise Undecided("roundings choose another branch")
            if a.dtype.kind == "f" and a.size:
                spreads[k] = max(spreads[k], float(np.abs(a - b).max()))
    tolerances = [
        10 * s + 16 * unit * max(largest(a), 0.1) for s, a in zip(spreads, values, strict=True)
    ]
    return values, tolerances


def largest(array: Array) -> float:
    """Give the largest magnitude."""
    return float(np.abs(array.astype(np.float64)).max(initial=0.0))


def require_close(what: str, actual: Any, wanted: Any, tolerance: float) -> None:
    """Refuse results of other shapes, or further apart than they may be.

    Raises:
        Wrong: with both.
    """
    a, b = plain(actual), plain(wanted)
    if a.shape != b.shape:
        raise Wrong(f"{what}: shapes {a.shape} and {b.shape}")
    if a.dtype.kind != b.dtype.kind:
        raise Wrong(f"{what}: {a.dtype} and {b.dtype}")
    if a.dtype.kind != "f":
        if not np.array_equal(a, b):
            raise Wrong(f"{what}: {a.tolist()} and {b.tolist()}")
        return
    if not a.size:
        return
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    if not apart.max() <= tolerance:
        at = np.unravel_index(int(np.argmax(np.where(np.isnan(apart), np.inf, apart))), a.shape)
        where = f"[{', '.join(map(str, at))}]"
        raise Wrong(f"{what}{where}: {a[at]:.12g} and {b[at]:.12g}, may differ by {tolerance:.1e}")


def directions(
    rng: np.random.Generator, arrays: Sequence[Array], alone: float = 0.4
) -> list[Array]:
    """Draw a direction in the shape of each array; `alone` is how often along one element only."""
    found = []
    for array in arrays:
        sizes = rng.uniform(0.3, 1.0, array.shape)
        direction = np.asarray(sizes * rng.choice([-1.0, 1.0], array.shape))
        if array.size and rng.random() < alone:
            one = int(rng.integers(array.size))
            direction = np.where(np.arange(array.size).reshape(array.shape) == one, direction, 0.0)
        found.append(direction)
    return found
