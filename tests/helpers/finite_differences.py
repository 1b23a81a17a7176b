"""Central differences in float64: the independent source that gradients are compared with."""

from collections.abc import Callable, Mapping

import numpy as np

Feeds = Mapping[str, np.ndarray]

DIRECTIONS = 3


def finite_differences(
    function: Callable[[dict[str, np.ndarray]], float], feeds: Feeds, name: str, step: float = 1e-6
) -> np.ndarray:
    """Give the derivative of a scalar function of arrays by each element of one of them."""
    array = feeds[name]
    result = np.zeros(array.shape)
    for k in np.ndindex(array.shape):
        values = []
        for sign in (1, -1):
            moved = array.copy()
            moved[k] += sign * step
            values.append(function({**feeds, name: moved}))
        result[k] = (values[0] - values[1]) / (2 * step)
    return result


def along_directions(
    function: Callable[[dict[str, np.ndarray]], float],
    feeds: Feeds,
    name: str,
    gradient: np.ndarray,
    step: float = 1e-6,
) -> tuple[np.ndarray, np.ndarray]:
    """Give a gradient's products with a few random directions, and the differences along them.

    An element that is wrong shows in all of them: each moves every element, by no number twice. A
    long array costs no more calls than a short one, whose elements are moved one by one.
    """
    array = feeds[name]
    assert gradient.shape == array.shape
    random = np.random.default_rng(3)
    directions = random.uniform(0.5, 1.5, (DIRECTIONS, array.size))
    directions *= random.choice([-1, 1], directions.shape)
    if array.size <= DIRECTIONS:
        directions = np.eye(array.size)
    slopes = []
    for direction in directions.reshape(len(directions), *array.shape):
        ahead, behind = (function({**feeds, name: array + h * direction}) for h in (step, -step))
        slopes.append((ahead - behind) / (2 * step))
    return directions @ gradient.reshape(-1), np.array(slopes)
