"""Elementwise functions of many passes, run block by block so that each pass stays in cache."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from .registry import Array, Kernel
from .threads import PART_BYTES, in_parts

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
    flat = flattened(xp, y, x, *inputs)

    def work(first: int, last: int) -> None:
        for start in range(first * size, min(last * size, y.size), size):
            fill(xp, *(array[start : start + size] for array in flat))

    in_parts(xp, work, -(-y.size // size), y.nbytes)
    return y


def flattened(xp: Any, y: Array, *inputs: Array) -> list[Array]:
    """View arrays of one shape as vectors in the memory order of y, which is dense.

    An input that lies otherwise is copied.
    """
    outermost_first = sorted(range(y.ndim), key=lambda axis: -y.strides[axis])
    return [_like(xp, a, y).transpose(outermost_first).reshape(-1) for a in (y, *inputs)]


def by_rows(xp: Any, work: Callable[..., None], *arrays: Array) -> None:
    """Call work on the same rows of all arrays, a few at a time, on all cores."""
    first = arrays[0]
    if first.nbytes <= PART_BYTES or xp.__name__ != "numpy":
        work(*arrays)
        return
    count = max(1, PART_BYTES * len(first) // first.nbytes)  # smaller ones cost more calls

    def run(start: int, stop: int) -> None:
        for row in range(start, stop, count):
            work(*(a[row : min(row + count, stop)] for a in arrays))

    in_parts(xp, run, len(first), first.nbytes)


def spread(xp: Any, function: Kernel, dtype: Any) -> Kernel:
    """Let an elementwise function of arrays that broadcast run on all cores; it gives `dtype`."""

    def run(*arrays: Array) -> Array:
        full = max(arrays, key=attrgetter("size"))
        if full.nbytes < 2 * PART_BYTES or any(a.dtype.hasobject for a in arrays):
            return function(*arrays)
        if any(a.shape != full.shape for a in arrays):
            if xp.broadcast_shapes(*(a.shape for a in arrays)) != full.shape:
                return function(*arrays)
        y = xp.empty_like(full, dtype=dtype)
        moves = [a.ndim == full.ndim and len(a) == len(full) for a in arrays]

        def work(start: int, stop: int) -> None:
            rows = (a[start:stop] if m else a for a, m in zip(arrays, moves, strict=True))
            function(*rows, out=y[start:stop])

        in_parts(xp, work, len(y), full.nbytes)
        return y

    return run


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
    copy = xp.empty_like(y, dtype=x.dtype)
    copy_into(xp, copy, x)
    return copy


def copy_into(xp: Any, target: Array, x: Array) -> None:
    """Copy x, of the same shape, on all cores; parts lie along the first axis."""

    def work(start: int, stop: int) -> None:
        target[start:stop] = x[start:stop]

    in_parts(xp, work, len(x), x.nbytes)
