"""The additions around Winograd's products, compiled for images: a tile at a time, in registers.

The sixteen planes of a block lie a few registers farther apart than their size, which tends to be a
power of two: one element of each would share a place in the cache.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np
from numba import njit, types

from ...compiler.opset import COMPOSITE_DOMAIN
from ..kernels.registry import KERNELS, Array, Kernel
from ..kernels.threads import in_parts
from ..kernels.winograd import Transforms
from .registry import COMPILED
from .scalars import inlined
from .vectors import LANES, load, store

_GAP = 192  # bytes


@inlined
def _read_one(array: Any, at: Any) -> Any:
    return array[at]


@inlined
def _write_one(array: Any, at: Any, number: Any) -> None:
    array[at] = number


@inlined
def _read_many(array: Any, at: Any) -> Any:
    return load(array, at)


@inlined
def _write_many(array: Any, at: Any, numbers: Any) -> None:
    store(array, at, numbers)


@inlined
def _of_image(d0: Any, d1: Any, d2: Any, d3: Any) -> Any:
    """Bᵀ·d"""
    return d0 - d2, d1 + d2, d2 - d1, d3 - d1


@inlined
def _of_products(m0: Any, m1: Any, m2: Any, m3: Any) -> Any:
    """Aᵀ·m"""
    return m0 + m1 + m2, m1 - m2 + m3


@inlined
def _of_gradient(y0: Any, y1: Any) -> Any:
    """A·y"""
    return y0, y0 + y1, y0 - y1, y1


@inlined
def _write_row(write: Any, planes: Any, k: Any, at: Any, row: Any) -> None:
    n, i, j, c = at
    write(planes, (k, 0, n, i, j, c), row[0])
    write(planes, (k, 1, n, i, j, c), row[1])
    write(planes, (k, 2, n, i, j, c), row[2])
    write(planes, (k, 3, n, i, j, c), row[3])


@inlined
def _fill_tile(read: Any, write: Any, x: Any, planes: Any, at: Any) -> None:
    n, i, j, c = at

    def column(k: Any) -> Any:
        return _of_image(
            read(x, (n, 2 * i, 2 * j + k, c)),
            read(x, (n, 2 * i + 1, 2 * j + k, c)),
            read(x, (n, 2 * i + 2, 2 * j + k, c)),
            read(x, (n, 2 * i + 3, 2 * j + k, c)),
        )

    p, q, r, s = column(0), column(1), column(2), column(3)
    _write_row(write, planes, 0, at, _of_image(p[0], q[0], r[0], s[0]))
    _write_row(write, planes, 1, at, _of_image(p[1], q[1], r[1], s[1]))
    _write_row(write, planes, 2, at, _of_image(p[2], q[2], r[2], s[2]))
    _write_row(write, planes, 3, at, _of_image(p[3], q[3], r[3], s[3]))


@inlined
def _spread_tile(read: Any, write: Any, dy: Any, planes: Any, at: Any) -> None:
    n, i, j, c = at
    left = _of_gradient(read(dy, (n, 2 * i, 2 * j, c)), read(dy, (n, 2 * i + 1, 2 * j, c)))
    right = _of_gradient(read(dy, (n, 2 * i, 2 * j + 1, c)), read(dy, (n, 2 * i + 1, 2 * j + 1, c)))
    _write_row(write, planes, 0, at, _of_gradient(left[0], right[0]))
    _write_row(write, planes, 1, at, _of_gradient(left[1], right[1]))
    _write_row(write, planes, 2, at, _of_gradient(left[2], right[2]))
    _write_row(write, planes, 3, at, _of_gradient(left[3], right[3]))


@inlined
def _add_up_tile(read: Any, write: Any, y: Any, products: Any, at: Any) -> None:
    n, i, j, c = at

    def column(k: Any) -> Any:
        return _of_products(
            read(products, (0, k, n, i, j, c)),
            read(products, (1, k, n, i, j, c)),
            read(products, (2, k, n, i, j, c)),
            read(products, (3, k, n, i, j, c)),
        )

    p, q, r, s = column(0), column(1), column(2), column(3)
    upper, lower = _of_products(p[0], q[0], r[0], s[0]), _of_products(p[1], q[1], r[1], s[1])
    inside = 2 * j + 1 < y.shape[2]  # what a tile has beyond the image is dropped
    write(y, (n, 2 * i, 2 * j, c), upper[0])
    if inside:
        write(y, (n, 2 * i, 2 * j + 1, c), upper[1])
    if 2 * i + 1 < y.shape[1]:
        write(y, (n, 2 * i + 1, 2 * j, c), lower[0])
        if inside:
            write(y, (n, 2 * i + 1, 2 * j + 1, c), lower[1])


@cache
def _loop(tile: Kernel, dtype: str, writeable: bool) -> Kernel:
    """Compile a loop over tiles: (images: (n, h, w, c), planes: (4, 4, n, …, c), first, last).

    It runs from the row of tiles `first` up to `last`, counted over all images.
    """
    lanes = LANES[dtype]

    def loop(images: Any, planes: Any, first: int, last: int) -> None:
        rows, columns, channels = planes.shape[3:]
        whole = channels - channels % lanes
        for row in range(first, last):
            n, i = row // rows, row % rows
            for j in range(columns):
                for c in range(0, whole, lanes):
                    tile(_read_many, _write_many, images, planes, (n, i, j, c))
                for c in range(whole, channels):
                    tile(_read_one, _write_one, images, planes, (n, i, j, c))

    number = getattr(types, dtype)
    images, planes = types.Array(number, 4, "A", not writeable), types.Array(number, 6, "A")
    signature = types.void(images, planes, types.intp, types.intp)
    found: Kernel = njit(signature, nogil=True, error_model="numpy")(loop)
    return found


def _run(tile: Kernel, images: Array, planes: Array) -> None:
    """Run over all tiles, on all cores."""
    loop = _loop(tile, planes.dtype.name, images.flags.writeable)
    in_parts(np, partial(loop, images, planes), prod(planes.shape[2:4]), planes.nbytes)


def _reaching(x: Array, height: int, width: int) -> Array:
    """Return x with zeros below and to the right, where a tile reads beyond it."""
    if x.shape[1] >= height and x.shape[2] >= width and x.flags.aligned:
        return x
    height, width = max(height, x.shape[1]), max(width, x.shape[2])
    y = np.zeros((len(x), height, width, x.shape[-1]), x.dtype)
    y[:, : x.shape[1], : x.shape[2]] = x
    return y


class _Compiled(Transforms):
    """Those of images; NumPy adds up what has another rank."""

    one_core = False
    sum_cost = 24

    def planes(self, xp: Any, shape: Sequence[int], rank: int, dtype: Any) -> Array:
        size, gap = prod(shape[rank:]), _GAP // dtype.itemsize
        room = np.empty((4**rank, size + gap), dtype)
        return room[:, :size].reshape(shape)

    def fill(self, xp: Any, x: Array, planes: Array) -> None:
        if x.ndim != 4:
            return super().fill(xp, x, planes)
        rows, columns = planes.shape[3:5]
        _run(_fill_tile, _reaching(x, 2 * rows + 2, 2 * columns + 2), planes)

    def spread(self, xp: Any, dy: Array, planes: Array) -> None:
        if dy.ndim != 4:
            return super().spread(xp, dy, planes)
        rows, columns = planes.shape[3:5]
        _run(_spread_tile, _reaching(dy, 2 * rows, 2 * columns), planes)

    def add_up(self, xp: Any, products: Array, y: Array) -> None:
        if y.ndim != 4:
            return super().add_up(xp, products, y)
        _run(_add_up_tile, y, products)


IN_REGISTERS = _Compiled()

for _key in (
    ("", "Conv"),
    ("", "ConvTranspose"),
    (COMPOSITE_DOMAIN, "ConvInputGrad"),
    (COMPOSITE_DOMAIN, "ConvWeightGrad"),
):
    _entry = KERNELS[_key]
    COMPILED[_key] = replace(_entry, function=partial(_entry.function, transforms=IN_REGISTERS))
