"""What the numbers of a held tensor give away: masks, and tables that follow a formula."""

from collections.abc import Iterator

import numpy as np

_FORBIDDEN = -1e3
"""What is added to a score so that Softmax gives nothing there is below this."""

_ROWS = range(4, 65)
"""So many rows prove a law: fewer may obey it by chance, more would only cost time."""


def is_mask(table: np.ndarray) -> bool:
    """Tell whether a tensor holds zeros and a number far below, which leaves nothing of a score."""
    lowest = table.min()
    return bool(lowest <= _FORBIDDEN and _has_both(table, 0, lowest))


def is_selection(table: np.ndarray) -> bool:
    """Tell whether a tensor holds zeros and ones, some of both."""
    return _has_both(table, 0, 1)


def _has_both(table: np.ndarray, a: float, b: float) -> bool:
    first, second = table == a, table == b
    return bool((first | second).all() and first.any() and second.any())


def is_ramp(table: np.ndarray) -> bool:
    """Tell whether a tensor grows evenly along one of its axes: v[k + 1] + v[k − 1] = 2·v[k]."""
    return any(_obeys(rows, np.full(rows.shape[1], 2.0), limit) for rows, limit in _along(table))


def is_wave(table: np.ndarray) -> bool:
    """Tell whether a tensor is sines and cosines along one of its axes.

    Then v[k + 1] + v[k − 1] = 2·cos(f)·v[k] at each k, where f is the frequency of the column. No
    learned table obeys that.
    """
    for rows, limit in _along(table):
        middle, sums = rows[1:-1], rows[2:] + rows[:-2]
        energy = np.maximum((middle * middle).sum(axis=0), np.finfo(np.float64).tiny)
        if _obeys(rows, np.clip((sums * middle).sum(axis=0) / energy, -2, 2), limit):
            return True
    return False


def _along(table: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Yield a table as rows along each axis that is long enough, and what rounding may do."""
    limit = 1e-4 if table.dtype.itemsize >= 4 else 2e-2
    for axis, size in enumerate(table.shape if table.ndim > 1 else ()):
        if size >= _ROWS[0]:
            rows = np.moveaxis(table, axis, 0)[: _ROWS[-1]]
            yield rows.reshape(len(rows), -1).astype(np.float64), limit


def _obeys(rows: np.ndarray, double: np.ndarray, limit: float) -> bool:
    """Tell whether the sum of the neighbors of each row is a multiple of it, by columns."""
    largest = np.abs(rows).max(axis=0)
    if not np.isfinite(largest).all() or (np.ptp(rows, axis=0) <= limit * largest).all():
        return False  # each column is one number
    wrong = np.abs(rows[2:] + rows[:-2] - double * rows[1:-1]).max(axis=0)
    return bool((wrong <= limit * largest).all())
