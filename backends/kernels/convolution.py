"""Convolutions as matrix products: forward, input gradient and weight gradient, in any rank.

All three gather windows of a channels-last image into columns, block by block, and multiply
them at once. Results are channels-last in memory, seen through a transposition: the next
operator reads them as (batch, channels, *spatial), the next convolution finds them ready.
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from . import winograd
from .blocks import copy_into
from .precision import widened
from .registry import Array, composite_kernel, kernel
from .threads import in_parts
from .windows import Windows, padded, windows

_PRODUCT_BYTES = 1 << 19  # products that are added up stay in cache
_COLUMN_BYTES = 1 << 22  # columns that BLAS finds in the last cache


def _channels_last(xp: Any, x: Array) -> Array:
    """Return x: (batch, channels, *spatial) as contiguous (batch, *spatial, channels)."""
    x = x.transpose(0, *range(2, x.ndim), 1)
    if x.flags.c_contiguous:
        return x
    y = xp.empty(x.shape, x.dtype)
    copy_into(xp, y, x)
    return y


def _channels_first(y: Array) -> Array:
    """Return y: (batch, *spatial, channels) seen as (batch, channels, *spatial)."""
    return y.transpose(0, y.ndim - 1, *range(1, y.ndim - 1))


def _padded(xp: Any, x: Array, over: Windows) -> Array:
    """Return x: (batch, *spatial, channels) with the padding of the windows."""
    return padded(xp, x, (*over.begins, 0), (*over.ends, 0))


def _gather(xp: Any, x: Array, over: Windows, group: int) -> Array:
    """View x: (batch, *padded, channels) as (group, batch, *outputs, *kernel, channels)."""
    channels = x.shape[-1] // group
    spatial = x.strides[1:-1]
    return xp.lib.stride_tricks.as_strided(
        x,
        (group, x.shape[0], *over.outputs, *over.kernel, channels),
        (
            channels * x.strides[-1],
            x.strides[0],
            *(step * s for step, s in zip(spatial, over.strides, strict=True)),
            *(step * d for step, d in zip(spatial, over.dilations, strict=True)),
            x.strides[-1],
        ),
    )


def _column_blocks(
    xp: Any, view: Array, rank: int, nbytes: int = _COLUMN_BYTES
) -> Iterator[tuple[tuple[slice, slice], Array]]:
    """Yield blocks of outputs and their columns: (group, outputs of the block, kernel·channels).

    A block is some images, or some of one image's rows (the first spatial axis).
    """
    group, batch, height = view.shape[:3]
    width = math.prod(view.shape[2 + rank :])
    row = math.prod(view.shape[3 : 2 + rank])
    rows = max(nbytes // max(view.itemsize * group * row * width, 1), 1)
    images, rows = min(max(rows // max(height, 1), 1), batch), min(rows, height)
    buffer = None
    starts = itertools.product(range(0, batch, images or 1), range(0, height, rows or 1))
    for first, top in starts:
        block = slice(first, first + images), slice(top, top + rows)
        part = view[:, *block]
        if not part.flags.c_contiguous:
            if buffer is None:
                buffer = xp.empty(part.shape, part.dtype)
            columns = buffer[:, : part.shape[1], : part.shape[2]]
            axis = 1 if images > 1 else 2
            copy = partial(_copy_columns, columns.swapaxes(1, axis), part.swapaxes(1, axis), rank)
            in_parts(xp, copy, part.shape[axis], part.nbytes)
            part = columns
        yield block, part.reshape(group, math.prod(part.shape[1:3]) * row, width)


def _copy_columns(columns: Array, view: Array, rank: int, start: int, stop: int) -> None:
    """Copy some images' windows, by taps where a row of one is too short a run to copy at once."""
    columns, view = columns[:, start:stop], view[:, start:stop]
    if math.prod(view.shape[-2:]) > 4:
        columns[...] = view
        return
    for tap in itertools.product(*(range(n) for n in view.shape[2 + rank : -1])):
        columns[(..., *tap, slice(None))] = view[(..., *tap, slice(None))]


def _correlate(
    xp: Any, x: Array, w: Array, over: Windows, transforms: winograd.Transforms
) -> Array:
    """Slide w: (group, *kernel, channels, maps) over x: (batch, *spatial, group·channels).

    Returns (batch, *outputs, group·maps).
    """
    group, maps = w.shape[0], w.shape[-1]
    channels = w.shape[-2]
    if group > 1 and channels == 1:
        return _correlate_depthwise(xp, _padded(xp, x, over), w, over)
    y = xp.empty((x.shape[0], *over.outputs, group * maps), x.dtype)
    if winograd.suits(xp, x, channels, maps, over, transforms) and winograd.is_finite(w):
        parts = xp.split(x, group, -1)
        reached = [transforms.reach(xp, part, over) for part in parts]
        if not any(found is None for found in reached):
            for k, out in enumerate(xp.split(y, group, -1)):
                winograd.correlate(xp, parts[k], w[k], over, reached[k], out, transforms)
            return y
    w, image = _matrices(w), _padded(xp, x, over)
    for block, columns in _column_blocks(xp, _gather(xp, image, over, group), len(over.kernel)):
        out = y[block].reshape(columns.shape[1], group, maps).transpose(1, 0, 2)
        xp.matmul(columns, w, out=out)
    return y


def _matrices(w: Array) -> Array:
    """Return w: (group, *kernel, channels, maps) as (group, kernel·channels, maps).

    Where the maps lie outermost they stay there: BLAS reads a transposed matrix as fast.
    """
    if w.strides[-1] < w.strides[-2]:
        return w.reshape(len(w), math.prod(w.shape[1:-1]), w.shape[-1])
    rows = w.transpose(0, w.ndim - 1, *range(1, w.ndim - 1))
    return rows.reshape(*rows.shape[:2], math.prod(rows.shape[2:])).transpose(0, 2, 1)


def _correlate_depthwise(xp: Any, x: Array, w: Array, over: Windows) -> Array:
    """Do the work of _correlate for one channel a group: too thin for matrix products."""
    group, maps = w.shape[0], w.shape[-1]
    y = xp.zeros((x.shape[0], *over.outputs, group, maps), x.dtype)
    image = max(y.itemsize * math.prod(y.shape[1:]), 1)
    count = max(_PRODUCT_BYTES // image, 1) if xp.__name__ == "numpy" else max(len(y), 1)
    # a weight for each of a row's elements lets NumPy run through whole rows at once
    rows = {
        tap: xp.array(xp.broadcast_to(w[(slice(None), *tap, 0)], y.shape[-3:]))
        for tap, _ in over.taps()
    }
    for start in range(0, len(y), count):
        images = slice(start, start + count)
        for tap, part in over.taps():
            y[images] += x[(images, *part)][..., None] * rows[tap]
    return y.reshape(*y.shape[:-2], group * maps)


@kernel("Conv")
@widened
def conv(
    xp: Any,
    x: Array,
    w: Array,
    b: Array = None,
    kernel_shape: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
    transforms: winograd.Transforms = winograd.IN_NUMPY,
) -> Array:
    """Correlate x: (batch, channels, *spatial) with w: (maps, channels / group, *kernel)."""
    over = windows(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    axes = range(3, w.ndim + 1)
    weight = w.reshape(group, w.shape[0] // group, *w.shape[1:]).transpose(0, *axes, 2, 1)
    y = _correlate(xp, _channels_last(xp, x), weight, over, transforms)
    if b is not None:
        y += b
    return _channels_first(y)


@kernel("ConvTranspose")
@widened
def conv_transpose(
    xp: Any,
    x: Array,
    w: Array,
    b: Array = None,
    kernel_shape: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
    transforms: winograd.Transforms = winograd.IN_NUMPY,
) -> Array:
    """Apply the transpose of Conv to x: (batch, maps, *spatial) with w: (maps, channels, *)."""
    rank: int = x.ndim - 2
    strides = strides or [1] * rank
    dilations = dilations or [1] * rank
    extra = output_padding or [0] * rank
    pads = pads if pads and auto_pad == "NOTSET" else [0] * (2 * rank)
    full = [
        s * (n - 1) + e + (k - 1) * d + 1
        for s, n, e, k, d in zip(strides, x.shape[2:], extra, w.shape[2:], dilations, strict=True)
    ]
    if output_shape is None and auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        wanted = (n * s for n, s in zip(x.shape[2:], strides, strict=True))
        output_shape = [min(pair) for pair in zip(wanted, full, strict=True)]
    if output_shape is None:
        output_shape = [n - pads[i] - pads[i + rank] for i, n in enumerate(full)]
    else:
        output_shape = output_shape[-rank:]
        totals = [max(n - size, 0) for n, size in zip(full, output_shape, strict=True)]
        halves = [t // 2 if auto_pad == "SAME_UPPER" else t - t // 2 for t in totals]
        pads = [*halves, *(t - h for t, h in zip(totals, halves, strict=True))]
    shape = (x.shape[0], w.shape[1] * group, *output_shape)
    y = _input_gradient(xp, x, w, shape, strides, dilations, pads, group, transforms)
    if b is not None:
        y += b.reshape(-1, *([1] * rank))
    return y


@composite_kernel("ConvInputGrad")
@widened
def conv_input_grad(
    xp: Any,
    dy: Array,
    w: Array,
    x_shape: Array,
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    group: int = 1,
    transforms: winograd.Transforms = winograd.IN_NUMPY,
) -> Array:
    """Return the gradient of Conv's x, of shape x_shape (int64, 1-D)."""
    shape = x_shape.tolist()
    return _input_gradient(xp, dy, w, shape, strides, dilations, pads, group, transforms)


class _Phase:
    """The positions of one residue modulo the stride along one axis of an input gradient.

    Position p of x, padded position q = p + pad, receives dy[o]·w[i] where q - i·d = s·o. All q
    of one residue r meet the same taps, those with i·d ≡ r modulo s, and both taps and outputs
    run in even steps: along a phase the gradient is a plain correlation with flipped taps.
    """

    def __init__(self, r: int, size: int, kernel: int, s: int, d: int, pad: int) -> None:
        step = s // math.gcd(s, d)
        first = next((i for i in range(min(step, kernel)) if (i * d - r) % s == 0), kernel)
        self.taps = range(first, kernel, step)
        self.dilation = step * d // s
        start = -((r - pad) // s)  # the least t with s·t + r >= pad
        self.position = r + s * start - pad
        self.count = max(-((self.position - size) // s), 0)
        reach = (len(self.taps) - 1) * self.dilation
        self.first = start + (r - first * d) // s - reach  # the first output that is met
        self.last = self.first + reach + self.count - 1

    @property
    def flipped(self) -> slice:
        """The taps, the last one first."""
        return slice(self.taps[-1], None, -self.taps.step)


def _input_gradient(
    xp: Any,
    dy: Array,
    w: Array,
    shape: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    group: int,
    transforms: winograd.Transforms,
) -> Array:
    """Correlate dy with the flipped weight, by phases; there is one where all strides are 1."""
    batch, channels, *sizes = shape
    rank, maps = len(sizes), dy.shape[1] // group
    phases = [
        [_Phase(r, sizes[i], w.shape[2 + i], strides[i], dilations[i], pads[i])
         for r in range(strides[i])]
        for i in range(rank)
    ]  # fmt: skip
    phases = [[p for p in axis if p.taps and p.count] for axis in phases]
    whole = (batch, *sizes, channels)
    if not all(phases):
        return _channels_first(xp.zeros(whole, dy.dtype))
    dx: Array = None
    low = [min(p.first for p in axis) for axis in phases]
    high = [max(p.last for p in axis) for axis in phases]
    ends = [h + 1 - n for h, n in zip(high, dy.shape[2:], strict=True)]
    image, begins = _channels_last(xp, dy), [-n for n in low]
    if any(step > 1 for step in strides):  # phases meet parts of it
        image = padded(xp, image, (*begins, 0), (*ends, 0))
        begins = ends = [0] * rank
    # (group, *kernel, maps, channels)
    weight = w.reshape(group, maps, *w.shape[1:]).transpose(0, *range(3, 3 + rank), 1, 2)
    for alike in itertools.product(*(_alike(axis) for axis in phases)):
        one = [axis[0] for axis in alike]
        over = Windows(
            kernel=tuple(len(p.taps) for p in one),
            strides=(1,) * rank,
            dilations=tuple(p.dilation for p in one),
            begins=tuple(begins),
            ends=tuple(ends),
            outputs=tuple(p.count for p in one),
        )
        met = tuple(
            slice(p.first - n, p.last - n + 1) if s > 1 else slice(None)
            for p, n, s in zip(one, low, strides, strict=True)
        )
        members = list(itertools.product(*alike))
        parts = [weight[(slice(None), *(p.flipped for p in member))] for member in members]
        flipped = parts[0] if len(parts) == 1 else xp.concatenate(parts, axis=-1)
        found = _correlate(xp, image[(slice(None), *met)], flipped, over, transforms)
        if found.shape == whole:
            return _channels_first(found)
        if dx is None:
            dx = xp.zeros((batch, *sizes, group, channels // group), dy.dtype)
        found = found.reshape(*found.shape[:-1], group, len(members), channels // group)
        for k, member in enumerate(members):
            positions = (slice(p.position, None, s) for p, s in zip(member, strides, strict=True))
            dx[(slice(None), *positions)] = found[..., k, :]
    return _channels_first(dx.reshape(whole))


def _alike(phases: Iterable[_Phase]) -> list[list[_Phase]]:
    """Part the phases along an axis by the outputs that they meet: windows that are gathered once.

    Of a kernel as long as two strides there are at most two such parts, however long these are.
    """
    parts = defaultdict(list)
    for phase in phases:
        parts[len(phase.taps), phase.first, phase.count].append(phase)
    return list(parts.values())


@composite_kernel("ConvWeightGrad")
@widened
def conv_weight_grad(
    xp: Any,
    dy: Array,
    x: Array,
    w_shape: Array,
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
    group: int = 1,
    transforms: winograd.Transforms = winograd.IN_NUMPY,
) -> Array:
    """Return the gradient of Conv's w, of shape w_shape (int64, 1-D)."""
    maps, channels, *kernel_shape = w_shape.tolist()
    over = windows(x.shape[2:], kernel_shape, strides, dilations, pads)
    image, dy = _channels_last(xp, x), _channels_last(xp, dy)
    rank = len(kernel_shape)
    if (
        winograd.suits(xp, image, channels, maps // group, over, transforms)
        and winograd.is_finite(dy)
        and transforms.reach(xp, image, over) is not None
    ):
        pairs = zip(xp.split(dy, group, -1), xp.split(image, group, -1), strict=True)
        parts = [winograd.weight_gradient(xp, *pair, over, transforms) for pair in pairs]
        return xp.concatenate(parts)
    image = _padded(xp, image, over)
    if group > 1 and channels == 1:
        dw = _weight_gradient_depthwise(xp, dy, image, group, over)
    else:
        dw = xp.empty((group, maps // group, math.prod(kernel_shape) * channels), dy.dtype)
        if not dy.size:
            dw[...] = 0
        view = _gather(xp, image, over, group)
        # each block passes over dw
        for block, columns in _column_blocks(xp, view, rank, max(_COLUMN_BYTES, dw.nbytes)):
            # (group, maps, outputs of the block) · (group, outputs of the block, kernel·channels)
            part = dy[block].reshape(columns.shape[1], group, maps // group).transpose(1, 2, 0)
            if any(axis.start for axis in block):
                dw += xp.matmul(part, columns)
            else:
                xp.matmul(part, columns, out=dw)
    dw = dw.reshape(maps, *kernel_shape, channels)
    return dw.transpose(0, rank + 1, *range(1, rank + 1))


def _weight_gradient_depthwise(
    xp: Any, dy: Array, image: Array, group: int, over: Windows
) -> Array:
    """Return the weight gradient for one channel a group: (group, maps, *kernel, 1)."""
    dy = dy.reshape(*dy.shape[:-1], group, dy.shape[-1] // group)
    dw = xp.empty((group, dy.shape[-1], *over.kernel, 1), dy.dtype)
    axes = tuple(range(dy.ndim - 2))
    for tap, part in over.taps():
        dw[(..., *tap, 0)] = (image[(slice(None), *part)][..., None] * dy).sum(axis=axes)
    return dw
