"""Which windows of images hold something, and whether Winograd's sums may be used, in one pass."""

import math
from functools import cache

import numpy as np
from numba import types

from ..kernels.registry import Array, Kernel
from ..kernels.threads import in_parts
from ..kernels.windows import Windows
from ..kernels.winograd import LARGEST_SHARE
from .loops import loop, read, written


def reach(x: Array, over: Windows) -> Array | None:
    """Do for dense images what `Transforms.reach` does for arrays of any rank."""
    reached = np.empty((len(x), *over.outputs), np.bool_)
    fine = np.empty(len(x), np.bool_)
    work, sizes = compile_reach(x.dtype.name), (*over.dilations, *over.begins, *over.ends)

    def part(start: int, stop: int) -> None:
        work(reached[start:stop], fine[start:stop], x[start:stop], sizes)

    in_parts(np, part, len(x), x.nbytes)
    return reached if fine.all() else None


@cache
def compile_reach(dtype: str) -> Kernel:
    """Compile the pass over images of a dtype."""
    return loop(
        _reach,
        *(written("bool", 3), written("bool", 1), read(dtype, 4), types.UniTuple(types.intp, 6)),
        in_any_order=True,
    )


def _reach(reached: Array, fine: Array, x: Array, sizes: tuple[int, ...]) -> None:
    """Tell of each image which windows hold something, and whether all is `fine`.

    Sizes are the dilations, and the padding before and after the rows and columns. Tiles end one
    dilation behind the windows that they begin with.
    """
    images, height, width, channels = x.shape
    rows, columns = reached.shape[1:]
    down, right, top, left, bottom, rest = sizes
    squares = np.zeros((top + height + bottom, left + width + rest), x.dtype)
    held, near = np.empty((2, rows, columns), x.dtype)
    for n in range(images):
        ok = True
        for i in range(height):
            for j in range(width):
                pixel = x[n, i, j]
                total = x.dtype.type(0)
                for c in range(channels):
                    total += pixel[c] * pixel[c]
                squares[top + i, left + j] = total
                if total == 0:  # or so small that their squares are 0
                    for c in range(channels):
                        ok &= pixel[c] == 0
        for i in range(rows):
            for j in range(columns):
                total = x.dtype.type(0)
                for k in range(3):
                    for m in range(3):
                        total += squares[i + k * down, j + m * right]
                held[i, j] = total
                reached[n, i, j] = total > 0
        for i in range(rows):
            for j in range(columns):
                total = held[i, j]
                if i >= down:
                    total += held[i - down, j]
                if i + down < rows:
                    total += held[i + down, j]
                near[i, j] = total
        for i in range(rows):
            for j in range(columns):
                total = near[i, j]
                if j >= right:
                    total += near[i, j - right]
                if j + right < columns:
                    total += near[i, j + right]
                least = held[i, j]
                ok &= total < math.inf and (least == 0 or total <= LARGEST_SHARE * least)
        fine[n] = ok
