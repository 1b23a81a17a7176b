"""Functions that NumPy lacks."""

import math

import numpy as np

from ..program import Array

erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: Array) -> Array:
    """Give 1 / (1 + e^-x)."""
    return np.asarray(np.exp(-np.logaddexp(0, -x)))


def log_softmax(x: Array, axis: int = -1) -> Array:
    """Give x less the logarithm of the sum of its exponentials."""
    shifted = x - x.max(axis=axis, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)))


def softmax(x: Array, axis: int = -1) -> Array:
    """Give exponentials that sum to one."""
    return np.asarray(np.exp(log_softmax(x, axis)))


def mean(x: Array, axes: tuple[int, ...]) -> Array:
    """Give the mean along axes, which stay with size 1; of nothing it is no number."""
    total = x.sum(axis=axes, keepdims=True)
    return np.asarray(total / (x.size / total.size if total.size else 1.0))
