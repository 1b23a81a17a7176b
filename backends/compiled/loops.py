"""Loops over dense arrays, compiled before any step waits for them."""

from collections.abc import Callable

import numpy as np
from numba import from_dtype, njit, types
from numpy.typing import DTypeLike

from ..kernels.registry import Kernel


def written(dtype: DTypeLike, rank: int) -> types.Array:
    """Give the type of an array that a loop writes."""
    return types.Array(from_dtype(np.dtype(dtype)), rank, "C")


def read(dtype: DTypeLike, rank: int) -> types.Array:
    """Give the type of one that it reads: it may be read-only, and begin at any byte."""
    return types.Array(from_dtype(np.dtype(dtype)), rank, "C", readonly=True, aligned=False)


def loop(function: Callable[..., None], *arguments: types.Array) -> Kernel:
    """Compile a function of arrays of these types, which lets go of Python's lock as it runs."""
    compiled: Kernel = njit(types.void(*arguments), nogil=True, error_model="numpy")(function)
    return compiled
