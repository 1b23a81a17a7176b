"""The additions around Winograd's products, compiled for images: a tile at a time, in registers.

The sixteen planes of a block lie a few registers farther apart than their size, which tends to be a
power of two: one element of each would share a place in the cache.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from math import prod
from typing import Any

import numpy as np
from numba import types

from ...compiler.graph.ir import Node
from ...compiler.graph.types import is_static
from ...compiler.opset import COMPOSITE_DOMAIN
from ..kernels.registry import KERNELS, Array, Kernel
from ..kernels.threads import in_parts
from ..kernels.windows import Windows
from ..kernels.winograd import Transforms, pays
from .formulas import DTYPES
from .loops import loop, read, written
from .reach import compile_reach, reach
from .registry import COMPILED
from .scalars import inlined
from .vectors import LANES, load, load_one, store, store_one

_GAP = 192  # bytes
_WEIGHTS = 64  # whose planes are made at once, in the first cache


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


# A tile begins at a place of the images, whose next row is `down` and next column `right` of it,
# and at a place of the planes, of which the next one is `apart` behind it.


@inlined
def _four(read: Any, array: Any, place: Any, step: Any) -> Any:
    return (
        read(array, place),
        read(array, place + step),
        read(array, place + 2 * step),
        read(array, place + 3 * step),
    )


@inlined
def _write_four(write: Any, array: Any, place: Any, step: Any, row: Any) -> None:
    write(array, place, row[0])
    write(array, place + step, row[1])
    write(array, place + 2 * step, row[2])
    write(array, place + 3 * step, row[3])


@inlined
def _image_column(read: Any, x: Any, place: Any, down: Any) -> Any:
    d = _four(read, x, place, down)
    return _of_image(d[0], d[1], d[2], d[3])


@inlined
def _products_column(read: Any, products: Any, place: Any, step: Any) -> Any:
    m = _four(read, products, place, step)
    return _of_products(m[0], m[1], m[2], m[3])


@inlined
def _fill_tile(
    read: Any, write: Any, x: Any, at: Any, down: Any, right: Any, planes: Any, to: Any,
    apart: Any, tall: Any, wide: Any,
) -> None:  # fmt: skip
    p = _image_column(read, x, at, down)
    q = _image_column(read, x, at + right, down)
    r = _image_column(read, x, at + 2 * right, down)
    s = _image_column(read, x, at + 3 * right, down)
    _write_four(write, planes, to, apart, _of_image(p[0], q[0], r[0], s[0]))
    _write_four(write, planes, to + 4 * apart, apart, _of_image(p[1], q[1], r[1], s[1]))
    _write_four(write, planes, to + 8 * apart, apart, _of_image(p[2], q[2], r[2], s[2]))
    _write_four(write, planes, to + 12 * apart, apart, _of_image(p[3], q[3], r[3], s[3]))


@inlined
def _spread_tile(
    read: Any, write: Any, dy: Any, at: Any, down: Any, right: Any, planes: Any, to: Any,
    apart: Any, tall: Any, wide: Any,
) -> None:  # fmt: skip
    p = _of_gradient(read(dy, at), read(dy, at + down))
    q = _of_gradient(read(dy, at + right), read(dy, at + right + down))
    _write_four(write, planes, to, apart, _of_gradient(p[0], q[0]))
    _write_four(write, planes, to + 4 * apart, apart, _of_gradient(p[1], q[1]))
    _write_four(write, planes, to + 8 * apart, apart, _of_gradient(p[2], q[2]))
    _write_four(write, planes, to + 12 * apart, apart, _of_gradient(p[3], q[3]))


@inlined
def _add_up_tile(
    read: Any, write: Any, y: Any, at: Any, down: Any, right: Any, planes: Any, to: Any,
    apart: Any, tall: Any, wide: Any,
) -> None:  # fmt: skip
    p = _products_column(read, planes, to, 4 * apart)
    q = _products_column(read, planes, to + apart, 4 * apart)
    r = _products_column(read, planes, to + 2 * apart, 4 * apart)
    s = _products_column(read, planes, to + 3 * apart, 4 * apart)
    upper, lower = _of_products(p[0], q[0], r[0], s[0]), _of_products(p[1], q[1], r[1], s[1])
    write(y, at, upper[0])
    if wide:  # what a tile has beyond the image is dropped
        write(y, at + right, upper[1])
    if tall:
        write(y, at + down, lower[0])
        if wide:
            write(y, at + down + right, lower[1])


@cache
def _loop(tile: Kernel, dtype: str) -> Kernel:
    """Compile a loop over tiles: (images, planes, steps, first, last).

    Images are (n, h, w, c), planes (4, 4, n, rows of tiles, columns of tiles, c).
    The steps are how many elements behind each other lie images, their rows and columns, then
    planes, and in these images, rows and columns. It runs from the row of tiles `first` up to
    `last`, counted over all images. The channels of both lie side by side.
    """
    lanes = LANES[dtype]

    def over_tiles(images: Any, planes: Any, steps: Any, first: int, last: int) -> None:
        rows, columns, channels = planes.shape[3:]
        whole = channels - channels % lanes
        image, down, right, apart, block, below, beside = steps
        for row in range(first, last):
            n, i = row // rows, row % rows
            tall = 2 * i + 1 < images.shape[1]
            for j in range(columns):
                wide = 2 * j + 1 < images.shape[2]
                at = n * image + 2 * i * down + 2 * j * right
                to = n * block + i * below + j * beside
                for c in range(0, whole, lanes):
                    tile(
                        load, store, images, at + c, down, right,
                        planes, to + c, apart, tall, wide,
                    )  # fmt: skip
                for c in range(whole, channels):
                    tile(
                        load_one, store_one, images, at + c, down, right,
                        planes, to + c, apart, tall, wide,
                    )  # fmt: skip

    images = (written if tile is _add_up_tile else read)(dtype, 4, "A")
    steps = types.UniTuple(types.intp, 7)
    return loop(over_tiles, images, written(dtype, 6, "A"), steps, types.intp, types.intp)


def _run(tile: Kernel, images: Array, planes: Array) -> None:
    """Run over all tiles, on all cores."""
    work = _loop(tile, planes.dtype.name)
    steps = tuple(s // planes.itemsize for s in (*images.strides[:3], *planes.strides[1:5]))
    in_parts(np, partial(work, images, planes, steps), prod(planes.shape[2:4]), planes.nbytes)


def _reaching(x: Array, height: int, width: int) -> Array:
    """Return x with zeros below and to the right, where a tile reads beyond it."""
    readable = x.flags.aligned and x.strides[-1] == x.itemsize
    if readable and x.shape[1] >= height and x.shape[2] >= width:
        return x
    height, width = max(height, x.shape[1]), max(width, x.shape[2])
    y = np.zeros((len(x), height, width, x.shape[-1]), x.dtype)
    y[:, : x.shape[1], : x.shape[2]] = x
    return y


def _weights(taps: Array, planes: Array) -> None:
    """Write G·w·Gᵀ of w: (weights, 9) into planes: (16, weights), a few at a time.

    Numbers at one place of some weights lie side by side meanwhile: first along one axis, then the
    other.
    """
    half = taps.dtype.type(0.5)
    some = np.empty((12, _WEIGHTS), taps.dtype)
    for start in range(0, len(taps), _WEIGHTS):
        count = min(_WEIGHTS, len(taps) - start)
        for k in range(3):
            for n in range(count):
                w0, w1, w2 = taps[start + n, k], taps[start + n, 3 + k], taps[start + n, 6 + k]
                outer, inner = (w0 + w2) * half, w1 * half
                some[k, n] = w0
                some[3 + k, n] = outer + inner
                some[6 + k, n] = outer - inner
                some[9 + k, n] = w2
        for k in range(4):
            for n in range(count):
                w0, w1, w2 = some[3 * k, n], some[3 * k + 1, n], some[3 * k + 2, n]
                outer, inner = (w0 + w2) * half, w1 * half
                planes[4 * k, start + n] = w0
                planes[4 * k + 1, start + n] = outer + inner
                planes[4 * k + 2, start + n] = outer - inner
                planes[4 * k + 3, start + n] = w2


@cache
def _weight_loop(dtype: str) -> Kernel:
    return loop(_weights, read(dtype, 2, "A"), written(dtype, 2, "A"))


class _Compiled(Transforms):
    """Those of images; NumPy adds up what has another rank."""

    one_core = False
    sum_cost = 24

    def planes(self, xp: Any, shape: Sequence[int], rank: int, dtype: Any) -> Array:
        size, gap = prod(shape[rank:]), _GAP // dtype.itemsize
        room = np.empty((4**rank, size + gap), dtype)
        return room[:, :size].reshape(shape)

    def reach(self, xp: Any, x: Array, over: Windows) -> Array | None:
        if x.ndim == 4 and x.flags.c_contiguous:
            return reach(x, over)
        return super().reach(xp, x, over)

    def weights(self, xp: Any, taps: Array, rank: int) -> Array:
        if rank != 2:
            return super().weights(xp, taps, rank)
        planes = self.planes(xp, (4, 4, len(taps)), rank, taps.dtype).reshape(16, len(taps))

        def part(start: int, stop: int) -> None:
            work(taps[start:stop], planes[:, start:stop])

        work = _weight_loop(taps.dtype.name)
        in_parts(np, part, len(taps), planes.nbytes)
        return planes

    def split(self, xp: Any, x: Array, planes: Array) -> None:
        if x.ndim != 4:
            return super().split(xp, x, planes)
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


def _bind(
    xp: Any, node: Node, attributes: Mapping[str, Any], fixed: Mapping[int, Array]
) -> Kernel | None:
    """Compile what the node may need, so that no step waits for it."""
    if _may_need(node, attributes, fixed):
        dtype = node.first_input.dtype.name
        for tile in (_fill_tile, _spread_tile, _add_up_tile):
            _loop(tile, dtype)
        _weight_loop(dtype)
        compile_reach(dtype)
    return None


def _may_need(node: Node, attributes: Mapping[str, Any], fixed: Mapping[int, Array]) -> bool:
    """Tell whether Winograd's products pay for a node, if its images keep their size."""
    images, weight = node.required(2)
    shape = fixed[2].tolist() if node.op_type == "ConvWeightGrad" and 2 in fixed else weight.shape
    if images.rank != 4 or images.dtype not in DTYPES or not is_static(shape):
        return False
    if not is_static(images.shape):
        return [*shape[2:]] == [3, 3]
    ones = (1, 1)
    over = Windows(
        kernel=tuple(shape[2:]),
        strides=tuple(attributes.get("strides", ones)),
        dilations=tuple(attributes.get("dilations", ones)),
        begins=ones,
        ends=ones,
        outputs=images.shape[2:],
    )
    return pays(images.shape[0], shape[1], shape[0], over, IN_REGISTERS)


for _key in (
    ("", "Conv"),
    ("", "ConvTranspose"),
    (COMPOSITE_DOMAIN, "ConvInputGrad"),
    (COMPOSITE_DOMAIN, "ConvWeightGrad"),
):
    _entry = KERNELS[_key]
    _function = partial(_entry.function, transforms=IN_REGISTERS)
    COMPILED[_key] = replace(_entry, function=_function, bind=_bind)
