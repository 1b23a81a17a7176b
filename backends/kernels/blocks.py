"""Elementwise functions of many passes, run block by block so that each pass stays in cache."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .registry import Array

BLOCK_BYTES = 1 << 17  # fits the second cache three times; smaller blocks cost more calls


def blockwise(xp: Any, fill: Callable[..., None], x: Array, *inputs: Array) -> Array:
    """Return an array like x that fill(xp, out, x, *inputs) wrote; inputs have the shape of x.

    The result has the memory layout of x: a channels-last array stays channels-last.
    """
    y = xp.empty_like(x)
    size = BLOCK_BYTES // y.itemsize
    if y.size <= size or xp.__name__ != "numpy":  # a GPU wants few, large launches
        fill(xp, y, x, *inputs)
        return y
    outermost_first = sorted(range(y.ndim), key=lambda axis: -y.strides[axis])
    flat = [_like(xp, array, y).transpose(outermost_first).reshape(-1) for array in (y, x, *inputs)]
    for start in range(0, y.size, size):
        fill(xp, *(array[start : start + size] for array in flat))
    return y


def in_blocks(xp: Any, *arrays: Array) -> Iterable[Sequence[Array]]:
    """Give views of arrays of one shape, block by block, the same elements of each.

    Where an array does not lie in order, blocks are rows.
    """
    if arrays[0].nbytes <= BLOCK_BYTES or xp.__name__ != "numpy":  # a GPU wants large launches
        return (arrays,)
    return _blocks(arrays)


def _blocks(arrays: Sequence[Array]) -> Iterator[Sequence[Array]]:
    first = arrays[0]
    size = BLOCK_BYTES // first.itemsize
    if all(a.flags.c_contiguous for a in arrays):
        arrays = tuple(a.reshape(-1) for a in arrays)
    else:
        size = max(1, size * len(first) // first.size)
    for start in range(0, len(arrays[0]), size):
        yield [a[start : start + size] for a in arrays]


def _like(xp: Any, x: Array, y: Array) -> Array:
    """Return x in the memory layout of y."""
    if x.strides == y.strides:
        return x
    copy = xp.empty_like(y)
    copy[...] = x
    return copy
