"""Loops over arrays, compiled before any step waits for them."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numba import from_dtype, njit, types
from numpy.typing import DTypeLike

from ..kernels.registry import Kernel

Layout = Literal["C", "A"]


def written(dtype: DTypeLike, rank: int, layout: Layout = "C") -> types.Array:
    """Give the type of an array that a loop writes: dense, or with "A" in any order."""
    return types.Array(from_dtype(np.dtype(dtype)), rank, layout)


def read(dtype: DTypeLike, rank: int, layout: Layout = "C") -> types.Array:
    """Give the type of one that it reads: it may be read-only, and begin at any byte."""
    return types.Array(from_dtype(np.dtype(dtype)), rank, layout, readonly=True, aligned=False)


def loop(
    function: Callable[..., None], *arguments: types.Type, in_any_order: bool = False
) -> Kernel:
    """Compile a function of arguments of these types, which lets go of Python's lock as it runs.

    Numbers may be added up `in_any_order`: many at a time.
    """
    fast = {"reassoc"} if in_any_order else False
    decorate = njit(types.void(*arguments), nogil=True, error_model="numpy", fastmath=fast)
    compiled: Kernel = decorate(function)
    return compiled
