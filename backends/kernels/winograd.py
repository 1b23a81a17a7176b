"""Convolutions of three taps along each axis with fewer products: Winograd's F(2, 3).

Two neighbouring outputs of a correlation,

    y₀ = d₀·w₀ + d₁·w₁ + d₂·w₂,    y₁ = d₁·w₀ + d₂·w₁ + d₃·w₂,

take four products instead of six:

    m₀ = (d₀ − d₂)·w₀,    m₁ = (d₁ + d₂)·(w₀ + w₁ + w₂)/2,    y₀ = m₀ + m₁ + m₂,
    m₃ = (d₃ − d₁)·w₂,    m₂ = (d₂ − d₁)·(w₀ − w₁ + w₂)/2,    y₁ = m₁ − m₂ + m₃.

An image is cut into tiles of two outputs along each axis. The numbers at one place of all tiles,
for all channels, are a plane; in two dimensions sixteen products of planes with weights do the work
of thirty-six. The weight gradient is the transpose: dw = Gᵀ[(A·dy)ᵀ·(Bᵀ·d)] with the same matrices.
See A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.

A sum that cancels leaves an error of rounding as large as what was summed. Where a window holds far
less than its tile that would be seen, and NaN would reach windows that do not hold it: such images
are for products of whole windows. Windows of zeros give 0.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from .registry import Array
from .threads import core_count
from .windows import Windows, padded

_PLANES_BYTES = 1 << 21  # planes that were just written are multiplied from cache
_LEAST_TILES = 128  # for which it pays to transform the weights
_LEAST_PRODUCTS = 1 << 26  # for which it pays to call so many functions
LARGEST_SHARE = 1000.0  # of squares around a window in those within it; 9 where all are alike


class Transforms:
    """The additions around the products, by functions of NumPy."""

    one_core = True
    """Where BLAS has several it multiplies on all of them, and additions on one take too long."""
    sum_cost = 40
    """Products that take as long as what is added for one number of a plane."""

    def planes(self, xp: Any, shape: Sequence[int], rank: int, dtype: Any) -> Array:
        """Give room for planes of that shape, of which the first `rank` axes number the planes."""
        return xp.empty(shape, dtype)

    def reach(self, xp: Any, x: Array, over: Windows) -> Array | None:
        """Tell which windows hold something: (batch, *outputs).

        None where a window holds so little of its tile that rounding would be seen, or where
        something is not finite.

        Args:
            xp: the array module.
            x: (batch, *spatial, channels), without the padding.
            over: the windows.
        """
        return _reach(xp, x, over)

    def weights(self, xp: Any, taps: Array, rank: int) -> Array:
        """Return the planes, (4 ** rank, weights), of taps: (weights, 3 ** rank)."""
        return _matrix(xp, rank, taps) @ taps.T

    def split(self, xp: Any, x: Array, planes: Array) -> None:
        """Write Bᵀ·x along each axis into planes: (4, …, images, *tiles, channels)."""
        _fill(xp, x, planes)

    def spread(self, xp: Any, dy: Array, planes: Array) -> None:
        """Write A·dy along each axis into planes: (4, …, images, *tiles, maps)."""
        _spread(xp, dy, planes)

    def add_up(self, xp: Any, products: Array, y: Array) -> None:
        """Write Aᵀ·m of products: (4, …, images, *tiles, maps), which are lost, into y."""
        _add_up(xp, products, y)


IN_NUMPY = Transforms()


def suits(
    xp: Any, x: Array, channels: int, maps: int, over: Windows, transforms: Transforms
) -> bool:
    """Tell whether windows have three taps an axis, and the saved products outweigh the sums."""
    if xp.__name__ != "numpy" or x.dtype.kind != "f" or transforms.one_core and core_count() > 1:
        return False
    return pays(len(x), channels, maps, over, transforms)


def pays(batch: int, channels: int, maps: int, over: Windows, transforms: Transforms) -> bool:
    """Tell it of so many images, on a processor where it may."""
    if {*over.kernel} != {3} or {*over.strides} != {1} or min(*over.begins, *over.ends) < 0:
        return False
    tiles = batch
    for size, dilation in zip(over.outputs, over.dilations, strict=True):
        tiles *= sum(-(-len(range(r, size, dilation)) // 2) for r in range(dilation))
    rank, products = len(over.kernel), channels * maps
    planes, windows = tiles * 4**rank, batch * math.prod(over.outputs) * 3**rank
    if tiles < _LEAST_TILES or planes * products < _LEAST_PRODUCTS:
        return False
    return (windows - planes) * products >= transforms.sum_cost * planes * (channels + maps)


def is_finite(x: Array) -> bool:
    """Tell whether all numbers and the sum of their squares are finite; BLAS adds that up fastest.

    The numbers lie side by side in memory, in any order of the axes.
    """
    forwards = x[tuple(slice(None, None, -1 if step < 0 else 1) for step in x.strides)]
    numbers = forwards.ravel(order="K")
    return math.isfinite(numbers @ numbers)


def _reach(xp: Any, x: Array, over: Windows) -> Array | None:
    squares = xp.einsum("...c,...c->...", x, x)
    empty = squares == 0
    if empty.any() and x[empty].any():
        return None  # so small that their squares are 0
    squares = padded(xp, squares, over.begins, over.ends)
    held: Array = xp.zeros((len(x), *over.outputs), x.dtype)
    for _, part in over.taps():
        held += squares[(slice(None), *part)]
    near = held
    for axis, dilation in enumerate(over.dilations, 1):  # a tile ends at the next window
        before, after = (
            (*(slice(None),) * axis, part) for part in (slice(-dilation), slice(dilation, None))
        )
        wider = near.copy()
        wider[before] += near[after]
        wider[after] += near[before]
        near = wider
    if not near.max() < math.inf or (near > LARGEST_SHARE * held)[held > 0].any():
        return None
    reached: Array = held > 0
    return reached


def correlate(
    xp: Any,
    x: Array,
    w: Array,
    over: Windows,
    reached: Array,
    y: Array,
    transforms: Transforms,
) -> None:
    """Slide w: (*kernel, channels, maps) over x: (batch, *spatial, channels), and its padding.

    Args:
        xp: the array module.
        x, w: both finite.
        over: the windows.
        reached: which of them hold something, as the transforms tell.
        y: (batch, *outputs, maps), where the result goes.
        transforms: how it is added up.
    """
    rank = len(over.kernel)
    weights = _weight_planes(xp, w, transforms)
    for image, begins, out in _undilated(xp, over, x, y):
        for images, rows in _blocks(out.shape, _PLANES_BYTES // x.itemsize // x.shape[-1]):
            planes = _image_planes(xp, image, begins, images, rows, out.shape, transforms)
            shape = (*planes.shape[:-1], out.shape[-1])
            products = transforms.planes(xp, shape, rank, y.dtype)
            flat = products.reshape(len(weights), -1, out.shape[-1])
            xp.matmul(planes.reshape(len(weights), -1, x.shape[-1]), weights, out=flat)
            transforms.add_up(xp, products, out[images, _twice(rows)])
    if not reached.all():
        y[~reached] = 0


def weight_gradient(xp: Any, dy: Array, x: Array, over: Windows, transforms: Transforms) -> Array:
    """Return the gradient of w: (maps, channels, *kernel).

    Args:
        xp: the array module.
        dy: (batch, *outputs, maps), the gradient of the result.
        x: (batch, *spatial, channels), without the padding.
        over: the windows.
        transforms: how it is added up.
    """
    rank, maps, channels = len(over.kernel), dy.shape[-1], x.shape[-1]
    dw = xp.zeros((4**rank, maps, channels), x.dtype)
    size = max(_PLANES_BYTES, dw.nbytes) // x.itemsize // channels  # each block passes over dw
    for image, begins, out in _undilated(xp, over, x, dy):
        for images, rows in _blocks(out.shape, size):
            planes = _image_planes(xp, image, begins, images, rows, out.shape, transforms)
            spread = transforms.planes(xp, (*planes.shape[:-1], maps), rank, dy.dtype)
            transforms.spread(xp, out[images, _twice(rows)], spread)
            spread = spread.reshape(len(dw), -1, maps).swapaxes(1, 2)
            dw += xp.matmul(spread, planes.reshape(len(dw), -1, channels))
    return (dw.reshape(len(dw), -1).T @ _matrix(xp, rank, dw)).reshape(maps, channels, *over.kernel)


def _matrix(xp: Any, rank: int, like: Array) -> Array:
    """Return G, which takes the taps of a weight to its planes: (4 ** rank, 3 ** rank)."""
    one = xp.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], like.dtype)
    matrix = one
    for _ in range(rank - 1):
        matrix = xp.kron(matrix, one)
    return matrix


def _weight_planes(xp: Any, w: Array, transforms: Transforms) -> Array:
    """Return the planes of w: (*kernel, channels, maps) as (planes, channels, maps)."""
    rank = w.ndim - 2
    transposed = w.strides[-1] > w.strides[-2]  # it stays so: BLAS reads it as fast
    last = (w.ndim - 1, rank) if transposed else (rank, w.ndim - 1)
    taps = w.transpose(*last, *range(rank)).reshape(-1, 3**rank)
    planes = transforms.weights(xp, taps, rank).reshape(4**rank, *(w.shape[axis] for axis in last))
    return planes.swapaxes(1, 2) if transposed else planes


def _undilated(
    xp: Any, over: Windows, x: Array, y: Array
) -> Iterator[tuple[Array, Sequence[int], Array]]:
    """Part x and y by residues modulo the dilations: what meets, as neighbours.

    Between the two stands how much of x's padding before it is missing.
    """
    if {*over.dilations} == {1}:
        yield x, over.begins, y
        return
    x = padded(xp, x, (*over.begins, 0), (*over.ends, 0))
    for residues in itertools.product(*(range(d) for d in over.dilations)):
        every = [slice(r, None, d) for r, d in zip(residues, over.dilations, strict=True)]
        part = y[(slice(None), *every)]
        if part.size:
            yield x[(slice(None), *every)], [0] * len(every), part


def _blocks(shape: Sequence[int], size: int) -> Iterator[tuple[slice, slice]]:
    """Yield blocks of outputs: images, and rows of tiles along the first spatial axis.

    Args:
        shape: (batch, *outputs, maps).
        size: the numbers that the planes of a block may have for each channel.
    """
    batch, tiles = shape[0], _tiles(shape)
    row = 4 ** len(tiles) * math.prod(tiles[1:])
    count = max(size // row, 1)
    images, rows = min(max(count // tiles[0], 1), batch), min(count, tiles[0])
    for first, top in itertools.product(range(0, batch, images), range(0, tiles[0], rows)):
        yield slice(first, min(first + images, batch)), slice(top, min(top + rows, tiles[0]))


def _tiles(shape: Sequence[int]) -> list[int]:
    """Count the tiles along each axis of (batch, *outputs, maps)."""
    return [-(-n // 2) for n in shape[1:-1]]


def _twice(rows: slice) -> slice:
    """Give the outputs of rows of tiles."""
    return slice(2 * rows.start, 2 * rows.stop)


def _image_planes(
    xp: Any,
    x: Array,
    begins: Sequence[int],
    images: slice,
    rows: slice,
    shape: Sequence[int],
    transforms: Transforms,
) -> Array:
    """Return the planes of a block's tiles, Bᵀ·d: (4, …, images, *tiles, channels).

    Args:
        xp: the array module.
        x: (batch, *spatial, channels).
        begins: the zeros before it, along each axis; after it there are as many as are read.
        images, rows: the block.
        shape: (batch, *outputs, maps).
        transforms: how it is added up.
    """
    tiles = [rows.stop - rows.start, *_tiles(shape)[1:]]
    starts = [2 * rows.start - begins[0], *(-n for n in begins[1:])]
    stops = [start + 2 * n + 2 for start, n in zip(starts, tiles, strict=True)]
    part = x[(images, *(slice(max(n, 0), max(m, 0)) for n, m in zip(starts, stops, strict=True)))]
    before = [max(-n, 0) for n in starts]
    after = [
        m - n - b - size
        for n, m, b, size in zip(starts, stops, before, part.shape[1:], strict=False)
    ]
    part = padded(xp, part, (*before, 0), (*after, 0))
    all_planes = (*(4,) * len(tiles), len(part), *tiles, x.shape[-1])
    planes = transforms.planes(xp, all_planes, len(tiles), x.dtype)
    transforms.split(xp, part, planes)
    return planes


def _fill(xp: Any, x: Array, planes: Array) -> None:
    """Write Bᵀ·x along each axis into planes: (4, …, images, *tiles, channels)."""
    rank = x.ndim - 2
    images, *tiles, channels = planes.shape[rank:]
    source = xp.empty((*(2,) * rank, images, *(n + 1 for n in tiles), channels), x.dtype)
    _part_by_parity(source, x)
    for axis in range(rank):
        before = (slice(None),) * (rank + axis)
        even, odd = xp.moveaxis(source, axis, 0)
        d0, d1 = even[(*before, slice(-1))], odd[(*before, slice(-1))]
        d2, d3 = even[(*before, slice(1, None))], odd[(*before, slice(1, None))]
        if axis < rank - 1:
            source = xp.empty((*(4,) * (axis + 1), *source.shape[axis + 1 :]), x.dtype)
            source = source[(slice(None), *before, slice(-1))]
        else:
            source = planes
        m0, m1, m2, m3 = xp.moveaxis(source, axis, 0)
        xp.subtract(d0, d2, out=m0)
        xp.add(d1, d2, out=m1)
        xp.subtract(d2, d1, out=m2)
        xp.subtract(d3, d1, out=m3)


def _part_by_parity(planes: Array, x: Array) -> None:
    """Write x: (images, *spatial, channels) into planes: (2, …, images, *halves, channels).

    Where x ends early the planes are 0.
    """
    for parities in itertools.product((0, 1), repeat=x.ndim - 2):
        part = x[(slice(None), *(slice(parity, None, 2) for parity in parities))]
        plane = planes[parities]
        for axis in range(1, x.ndim - 1):
            plane[(*(slice(None),) * axis, slice(part.shape[axis], None))] = 0
        plane[tuple(slice(n) for n in part.shape)] = part


def _spread(xp: Any, dy: Array, planes: Array) -> None:
    """Write A·dy along each axis into planes: (4, …, images, *tiles, maps)."""
    rank = dy.ndim - 2
    _part_by_parity(planes[(slice(None, None, 3),) * rank], dy)
    for axis in range(rank):
        known = planes[
            (slice(None),) * axis + (slice(None),) + (slice(None, None, 3),) * (rank - 1 - axis)
        ]
        y0, z1, z2, y1 = xp.moveaxis(known, axis, 0)
        xp.add(y0, y1, out=z1)
        xp.subtract(y0, y1, out=z2)


def _add_up(xp: Any, products: Array, y: Array) -> None:
    """Write Aᵀ·m of products: (4, …, images, *tiles, maps), which are lost, into y."""
    rank = y.ndim - 2
    for axis in range(rank):
        m0, m1, m2, m3 = xp.moveaxis(products, axis, 0)
        m0 += m1
        m0 += m2
        m1 -= m2
        m1 += m3
        products = products[(*(slice(None),) * axis, slice(2))]
    for parities in itertools.product((0, 1), repeat=rank):
        part = y[(slice(None), *(slice(parity, None, 2) for parity in parities))]
        part[...] = products[parities][tuple(slice(n) for n in part.shape)]
