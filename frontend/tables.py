"""What the numbers of a held tensor give away: masks, and tables that follow a formula."""

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


def is_wave(table: np.ndarray) -> bool:
    """Tell whether a tensor is sines, cosines or ramps along one of its axes.

    Then v[k + 1] + v[k − 1] = 2·cos(f)·v[k] at each k, where f is the frequency of the column; a
    ramp has f = 0. No learned table obeys that.
    """
    if table.ndim < 2:
        return False
    for axis, size in enumerate(table.shape):
        if size in _ROWS or size > _ROWS[-1]:
            rows = np.moveaxis(table, axis, 0)[: _ROWS[-1]]
            if _obeys(rows.reshape(len(rows), -1).astype(np.float64), table.dtype.itemsize):
                return True
    return False


def _obeys(rows: np.ndarray, width: int) -> bool:
    scale = np.abs(rows).max()
    allowed = scale * (1e-4 if width >= 4 else 2e-2)
    if not np.isfinite(scale) or np.ptp(rows, axis=0).max() <= allowed:
        return False  # each column is one number
    middle, sums = rows[1:-1], rows[2:] + rows[:-2]
    energy = np.maximum((middle * middle).sum(axis=0), np.finfo(np.float64).tiny)
    double = np.clip((sums * middle).sum(axis=0) / energy, -2, 2)
    return bool(np.abs(sums - double * middle).max() <= allowed)
