"""Central differences in float64: the independent source that gradients are compared with."""

from collections.abc import Callable, Mapping

import numpy as np

Feeds = Mapping[str, np.ndarray]


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
