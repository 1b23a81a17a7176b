"""Kernels that move or repeat elements without computing on them; results may be views."""

import math
from collections.abc import Sequence
from typing import Any

from .precision import element_dtype
from .registry import Array, KernelDoesNotApply, kernel


@kernel("Identity")
def identity(xp: Any, x: Array) -> Array:
    """Return x."""
    return x


@kernel("Reshape")
def reshape(xp: Any, x: Array, shape: Array, allowzero: int = 0) -> Array:
    """Return x in another shape: 0 keeps a dim unless allowzero, -1 takes what is left."""
    target = shape.tolist()
    kept = [] if allowzero or 0 not in target else [i for i, n in enumerate(target) if n == 0]
    if -1 in target and not x.size:  # NumPy cannot divide 0 elements by 0: leave kept dims out
        left = math.prod(n for i, n in enumerate(x.shape) if i not in kept)
        known = math.prod(n for n in target if n > 0)
        target[target.index(-1)] = left // known
    for i in kept:
        target[i] = x.shape[i]
    return x.reshape(target)


@kernel("Flatten")
def flatten(xp: Any, x: Array, axis: int = 1) -> Array:
    """Return x as a matrix whose rows are the axes before `axis`."""
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@kernel("Squeeze")
def squeeze(xp: Any, x: Array, axes: Array = None) -> Array:
    """Drop the given axes of size 1, or all of them."""
    return xp.squeeze(x, axis=None if axes is None else tuple(axes.ravel().tolist()))


@kernel("Unsqueeze")
def unsqueeze(xp: Any, x: Array, axes: Array) -> Array:
    """Insert axes of size 1 so that they stand at `axes` of the result."""
    return xp.expand_dims(x, tuple(axes.ravel().tolist()))


@kernel("Transpose")
def transpose(xp: Any, x: Array, perm: Sequence[int] | None = None) -> Array:
    """Permute the axes, or reverse them."""
    return x.transpose() if perm is None else x.transpose(perm)


@kernel("Concat")
def concat(xp: Any, *inputs: Array, axis: int) -> Array:
    """Join arrays along an axis."""
    return xp.concatenate(inputs, axis=axis)


@kernel("Split")
def split(
    xp: Any,
    x: Array,
    sizes: Array = None,
    axis: int = 0,
    num_outputs: int | None = None,
    outputs: int = 1,
) -> tuple[Array, ...]:
    """Cut x along an axis into parts of the given sizes, or equal ones with a smaller last."""
    length = x.shape[axis]
    if sizes is None:
        part = -(-length // (num_outputs or outputs))
        stops = [min(part * (i + 1), length) for i in range(num_outputs or outputs)]
    else:
        stops, stop = [], 0
        for size in sizes.tolist():
            stop += size
            stops.append(stop)
        if stop != length or min(sizes.tolist()) < 0:
            raise ValueError(f"the sizes {sizes.tolist()} are not those of {length} elements")
    before = (slice(None),) * (axis % x.ndim)
    starts = [0, *stops[:-1]]
    return tuple(
        x[(*before, slice(start, stop))] for start, stop in zip(starts, stops, strict=True)
    )


@kernel("Slice")
def slice_(
    xp: Any, x: Array, starts: Array, ends: Array, axes: Array = None, steps: Array = None
) -> Array:
    """Take x[start:end:step] along each of the axes; out-of-range bounds are limited."""
    index = [slice(None)] * x.ndim
    first, last = starts.tolist(), ends.tolist()
    where = range(len(first)) if axes is None else axes.tolist()
    strides = [1] * len(first) if steps is None else steps.tolist()
    for axis, start, end, step in zip(where, first, last, strides, strict=True):
        size = x.shape[axis]
        if step < 0:  # limited to the first element, where Python's slices would be empty
            index[axis] = slice(max(start, -size), None if end < -size else end, step)
        else:
            index[axis] = slice(start, end, step)
    return x[tuple(index)]


@kernel("Expand")
def expand(xp: Any, x: Array, shape: Array) -> Array:
    """Broadcast x with a shape; a dim of 1 there keeps that of x."""
    target = shape.tolist()
    lead = len(target) - x.ndim
    sizes = [1] * lead + list(x.shape)
    offset = len(sizes) - len(target)
    for i, n in enumerate(target):
        if n != 1:
            sizes[offset + i] = n
    return xp.broadcast_to(x, sizes)


@kernel("Tile")
def tile(xp: Any, x: Array, repeats: Array) -> Array:
    """Repeat x along each axis."""
    return xp.tile(x, tuple(repeats.tolist()))


@kernel("Pad")
def pad(
    xp: Any,
    x: Array,
    pads: Array,
    value: Array = None,
    axes: Array = None,
    mode: str = "constant",
) -> Array:
    """Add elements before and after each axis; a negative number removes them."""
    where = list(range(x.ndim)) if axes is None else [a % x.ndim for a in axes.tolist()]
    amounts = pads.tolist()
    before, after = [0] * x.ndim, [0] * x.ndim
    for i, axis in enumerate(where):
        before[axis], after[axis] = amounts[i], amounts[i + len(where)]
    sizes = [b + n + a for b, a, n in zip(before, after, x.shape, strict=True)]
    if min(sizes, default=0) < 0:
        raise ValueError(f"the pads {amounts} crop axes of {[*x.shape]} to {sizes}")
    if 0 in sizes:
        return xp.zeros(sizes, x.dtype)  # where xp.pad asks for elements to repeat
    kept = []  # of each axis, which may lie beyond it where more is cropped than there is
    for b, a, n in zip(before, after, x.shape, strict=True):
        first = max(-b, 0)
        kept.append((first, max(first, min(n, n + a))))
    x = x[tuple(slice(first, last) for first, last in kept)]
    widths = [(max(b, 0), max(a, 0)) for b, a in zip(before, after, strict=True)]
    if mode != "constant":
        return xp.pad(x, widths, mode={"edge": "edge", "reflect": "reflect", "wrap": "wrap"}[mode])
    # faster than xp.pad, which writes the border axis by axis
    fill = x.dtype.type(0) if value is None else value.reshape(())
    y = xp.full(sizes, fill, x.dtype)
    y[tuple(slice(first + b, last + b) for (first, last), b in zip(kept, before, strict=True))] = x
    return y


@kernel("DepthToSpace")
def depth_to_space(xp: Any, x: Array, blocksize: int, mode: str = "DCR") -> Array:
    """Move channels into blocks of two spatial axes; x: (batch, channels, height, width)."""
    n, c, h, w = x.shape
    b = blocksize
    if mode == "DCR":
        y = x.reshape(n, b, b, c // b**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        y = x.reshape(n, c // b**2, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return y.reshape(n, c // b**2, h * b, w * b)


@kernel("SpaceToDepth")
def space_to_depth(xp: Any, x: Array, blocksize: int, mode: str = "DCR") -> Array:
    """Move blocks of two spatial axes into channels; x: (batch, channels, height, width)."""
    n, c, h, w = x.shape
    b = blocksize
    y = x.reshape(n, c, h // b, b, w // b, b)
    y = y.transpose(0, 3, 5, 1, 2, 4) if mode == "DCR" else y.transpose(0, 1, 3, 5, 2, 4)
    return y.reshape(n, c * b**2, h // b, w // b)


@kernel("Shape")
def shape_(xp: Any, x: Array, start: int = 0, end: int | None = None) -> Array:
    """Return the dims of x from start to end, int64."""
    return xp.asarray(x.shape[start:end], dtype="int64")


@kernel("Size")
def size(xp: Any, x: Array) -> Array:
    """Return the number of elements, int64."""
    return xp.asarray(x.size, dtype="int64")


@kernel("ConstantOfShape")
def constant_of_shape(xp: Any, shape: Array, value: Array = None) -> Array:
    """Return an array of one value, float32 zero by default."""
    dims = tuple(shape.tolist())
    if value is None:
        return xp.zeros(dims, dtype="float32")
    return xp.full(dims, value.reshape(-1)[0].item(), dtype=value.dtype)


@kernel("Range")
def range_(xp: Any, start: Array, limit: Array, delta: Array, stash_type: int = 1) -> Array:
    """Return start + i·delta up to limit, exclusive; scalars in, one axis out."""
    if start.dtype.itemsize == 2:
        raise KernelDoesNotApply  # the schema rounds half precision in its own way
    first, last, step = (v.item() for v in (start, limit, delta))
    if step == 0 or not math.isfinite((last - first) / step):
        raise ValueError(f"steps of {step} do not lead from {first} to {last}")
    if start.dtype.kind in "iu":
        return xp.arange(first, last, step, dtype=start.dtype)
    count = max(math.ceil((last - first) / step), 0)
    return start + xp.arange(count).astype(start.dtype) * delta


@kernel("EyeLike")
def eye_like(xp: Any, x: Array, dtype: int | None = None, k: int = 0) -> Array:
    """Return ones on the k-th diagonal of a matrix of the shape of x and zeros elsewhere."""
    return xp.eye(*x.shape, k=k, dtype=x.dtype if dtype is None else element_dtype(dtype))


@kernel("Trilu")
def trilu(xp: Any, x: Array, k: Array = None, upper: int = 1) -> Array:
    """Keep the upper or lower triangle of the last two axes, from the k-th diagonal on."""
    diagonal = 0 if k is None else int(k.item())
    rows = xp.arange(x.shape[-2]).reshape(-1, 1)
    columns = xp.arange(x.shape[-1])
    kept = columns - rows >= diagonal if upper else columns - rows <= diagonal
    return xp.where(kept, x, x.dtype.type(0))
