"""Kernels that read and write by index, and those that sort or count along an axis."""

import math
from typing import Any

from .late_checks import check_range_later
from .precision import is_half, widen, widened
from .registry import Array, KernelDoesNotApply, composite_kernel, kernel


def _in_range(xp: Any, indices: Array, size: int) -> Array:
    """Return indices counted from the front; raise where one is outside of [-size, size)."""
    if not indices.size:
        return indices
    if xp.__name__ == "numpy":
        lowest, highest = indices.min(), indices.max()
        if lowest < -size or highest >= size:
            raise IndexError(f"index {lowest if lowest < -size else highest} of {size}")
        if lowest >= 0:
            return indices
    else:
        check_range_later(indices, size)
    return xp.where(indices < 0, indices + size, indices)


def _element_positions(xp: Any, shape: tuple[int, ...], indices: Array, axis: int) -> Array:
    """Return where in the flattened data each index along an axis points."""
    axis %= len(shape)
    positions: Any = 0
    for i in range(len(shape)):
        at = xp.arange(indices.shape[i]).reshape(-1, *[1] * (len(shape) - 1 - i))
        if i == axis:
            at = _in_range(xp, indices, shape[i])
        positions = positions + at * math.prod(shape[i + 1 :])
    return positions


def _row_positions(xp: Any, shape: tuple[int, ...], indices: Array, batch_dims: int = 0) -> Array:
    """Return which row each index tuple (last axis) selects, rows being data[:depth] flattened."""
    depth = indices.shape[-1]
    rows: Any = 0
    for i in range(batch_dims):
        at = xp.arange(shape[i]).reshape(-1, *[1] * (indices.ndim - 2 - i))
        rows = rows * shape[i] + at
    for i in range(depth):
        size = shape[batch_dims + i]
        rows = rows * size + _in_range(xp, indices[..., i], size)
    return xp.broadcast_to(rows, indices.shape[:-1])


def _scatter(xp: Any, y: Array, rows: Array, updates: Array, reduction: str) -> None:
    """Write updates: (n, width) into rows of y: (rows, width), reducing with what is there."""
    if y.shape[1] == 1:
        y, updates = y.reshape(-1), updates.reshape(-1)
    on_host = xp.__name__ == "numpy"
    if reduction == "none":
        y[rows] = updates if on_host else updates[_last_of_equal(xp, rows, len(y))]
    elif reduction == "add" and y.ndim == 2 and rows.size and on_host:
        # sums of sorted runs are many times faster than add.at on rows
        order = xp.argsort(rows, kind="stable")
        ordered = rows[order]
        is_first = xp.concatenate((xp.ones(1, bool), ordered[1:] != ordered[:-1]))
        starts = xp.flatnonzero(is_first)
        y[ordered[starts]] += xp.add.reduceat(updates[order], starts, axis=0, dtype=y.dtype)
    elif reduction in ("max", "min") and y.dtype.kind == "f" and not on_host:
        raise NotImplementedError("CuPy's extremes at indices are of float32 and pass over NaN")
    else:
        names = {"add": "add", "mul": "multiply", "max": "maximum", "min": "minimum"}
        getattr(xp, names[reduction]).at(y, rows, updates)


def _last_of_equal(xp: Any, rows: Array, count: int) -> Array:
    """Return for each of the rows, all below count, the place of the last that is equal.

    NumPy lets the last of them win; a GPU writes in any order, and in another one each time.
    """
    last = xp.zeros(count, "int64")
    xp.maximum.at(last, rows, xp.arange(len(rows)))
    return last[rows]


@kernel("Gather")
def gather(xp: Any, x: Array, indices: Array, axis: int = 0) -> Array:
    """Take slices of x along an axis; negative indices count from the end."""
    if xp.__name__ != "numpy":
        check_range_later(indices, x.shape[axis])
    y = xp.take(x, indices, axis=axis)
    return y if x.dtype.kind != "O" else xp.asarray(y, object)  # one text alone is not an array


@composite_kernel("GatherGrad")
@widened
def gather_grad(xp: Any, dy: Array, indices: Array, x_shape: Array, axis: int = 0) -> Array:
    """Add slices of dy into zeros of shape x_shape (int64, 1-D) along an axis."""
    shape = x_shape.tolist()
    axis %= len(shape)
    outer, size, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    rows = _in_range(xp, indices.ravel(), size)
    slices = (
        dy.reshape(outer, rows.size, inner).transpose(1, 0, 2).reshape(rows.size, outer * inner)
    )
    dx = xp.zeros((size, outer * inner), dy.dtype)
    if dx.size:
        _scatter(xp, dx, rows, slices, "add")
    return dx.reshape(size, outer, inner).transpose(1, 0, 2).reshape(shape)


@kernel("GatherElements")
def gather_elements(xp: Any, x: Array, indices: Array, axis: int = 0) -> Array:
    """Take elements whose place along an axis is an index, along the others their own."""
    return x.reshape(-1)[_element_positions(xp, x.shape, indices, axis)]


@kernel("GatherND")
def gather_nd(xp: Any, x: Array, indices: Array, batch_dims: int = 0) -> Array:
    """Take the slices of x that index tuples (last axis) select."""
    depth = batch_dims + indices.shape[-1]
    rows = _row_positions(xp, x.shape, indices, batch_dims)
    slices = x.reshape(math.prod(x.shape[:depth]), math.prod(x.shape[depth:]))
    return slices[rows].reshape((*indices.shape[:-1], *x.shape[depth:]))


@kernel("ScatterElements")
@widened
def scatter_elements(
    xp: Any, x: Array, indices: Array, updates: Array, axis: int = 0, reduction: str = "none"
) -> Array:
    """Return x with updates written, or reduced, where GatherElements would read."""
    y = xp.array(x, order="C")
    positions = _element_positions(xp, x.shape, indices, axis)
    _scatter(xp, y.reshape(-1, 1), positions.ravel(), updates.reshape(-1, 1), reduction)
    return y


@kernel("ScatterND")
@widened
def scatter_nd(xp: Any, x: Array, indices: Array, updates: Array, reduction: str = "none") -> Array:
    """Return x with updates written, or reduced, where GatherND would read."""
    depth = indices.shape[-1]
    y = xp.array(x, order="C")
    slices = y.reshape(math.prod(x.shape[:depth]), math.prod(x.shape[depth:]))
    rows = _row_positions(xp, x.shape, indices).ravel()
    _scatter(xp, slices, rows, updates.reshape(rows.size, slices.shape[1]), reduction)
    return y


@kernel("OneHot")
def one_hot(xp: Any, indices: Array, depth: Array, values: Array, axis: int = -1) -> Array:
    """Return values[1] where the place along a new axis is the index, values[0] elsewhere."""
    size = int(depth.item())
    axis = axis + indices.ndim + 1 if axis < 0 else axis
    at = xp.expand_dims(indices, axis)
    places = xp.arange(size).reshape(-1, *[1] * (indices.ndim - axis))
    return xp.where((at == places) | (at == places - size), values[1], values[0])


def _along(x: Array, axis: int, part: slice) -> tuple[slice, ...]:
    """Return the index that takes a part along one axis."""
    return (*(slice(None),) * (axis % x.ndim), part)


def _scan(xp: Any, x: Array, axis: int, reverse: int, exclusive: int, first: int) -> Array:
    """Accumulate along an axis by a sum (first is 0) or a product (first is 1)."""
    if not -x.ndim <= axis < x.ndim:  # NumPy has a number for an axis that means all of them
        raise ValueError(f"axis {axis} is none of rank {x.ndim}")
    accumulate = xp.cumprod if first else xp.cumsum
    backwards = _along(x, axis, slice(None, None, -1))
    x = x[backwards] if reverse else x
    if exclusive:
        y = xp.empty_like(x)
        y[_along(x, axis, slice(0, 1))] = first
        shifted = x[_along(x, axis, slice(None, -1))]
        y[_along(x, axis, slice(1, None))] = accumulate(shifted, axis=axis, dtype=x.dtype)
    else:
        y = accumulate(x, axis=axis, dtype=x.dtype)
    return y[backwards] if reverse else y


@kernel("CumSum")
@widened
def cum_sum(xp: Any, x: Array, axis: Array, reverse: int = 0, exclusive: int = 0) -> Array:
    """Return running sums along an axis, from its end in reverse, without itself if exclusive."""
    return _scan(xp, x, int(axis.item()), reverse, exclusive, 0)


@kernel("CumProd")
@widened
def cum_prod(xp: Any, x: Array, axis: Array, reverse: int = 0, exclusive: int = 0) -> Array:
    """Return running products along an axis, as CumSum does sums."""
    return _scan(xp, x, int(axis.item()), reverse, exclusive, 1)


@kernel("TopK")
def top_k(
    xp: Any, x: Array, k: Array, axis: int = -1, largest: int = 1, sorted: int = 1
) -> tuple[Array, Array]:
    """Return the k largest or smallest elements along an axis and their int64 indices.

    Equal elements come in the order of their indices; NaN counts as the largest.
    """
    if not 0 <= k.item() <= x.shape[axis]:
        raise ValueError(f"k = {k.item()} of {x.shape[axis]} elements are asked for")
    wide = widen(x)
    if largest:  # reversed twice, so that a stable sort keeps the order of equal elements
        backwards = _along(x, axis, slice(None, None, -1))
        order = x.shape[axis] - 1 - xp.argsort(wide[backwards], axis=axis, kind="stable")
        order = order[backwards]
    else:
        order = xp.argsort(wide, axis=axis, kind="stable")
    order = order[_along(x, axis, slice(0, int(k.item())))]
    return xp.take_along_axis(x, order, axis=axis), order


@kernel("NonZero")
def non_zero(xp: Any, x: Array) -> Array:
    """Return the int64 places of what is not zero: (rank, count)."""
    if not x.ndim:
        raise KernelDoesNotApply
    return xp.stack(xp.nonzero(x.astype("float32") if is_half(x) else x))


@kernel("Compress")
def compress(xp: Any, x: Array, condition: Array, axis: int | None = None) -> Array:
    """Take the slices along an axis, or the elements of the flattened x, that are marked.

    Raises:
        IndexError: there are more marks than slices or elements.
    """
    length = x.size if axis is None else x.shape[axis]
    if len(condition) > length:
        where = "the flattened x has" if axis is None else f"axis {axis} of x has"
        raise IndexError(f"the condition has {len(condition)} elements, {where} {length}")
    return xp.compress(condition, x, axis=axis)


@kernel("Unique")
def unique(
    xp: Any, x: Array, axis: int | None = None, sorted: int = 1
) -> tuple[Array, Array, Array, Array]:
    """Return the unique elements (or slices along an axis) and their first places, all places and
    counts, each int64; in the order of the first places where they are not to be sorted."""
    rows = x.reshape(-1) if axis is None else x
    _, first, inverse, counts = xp.unique(
        rows, return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    inverse = inverse.reshape(-1)
    if not sorted:
        order = xp.argsort(first)
        first, counts = first[order], counts[order]
        inverse = xp.argsort(order)[inverse]
    y = xp.take(rows, first, axis=0 if axis is None else axis)
    return y, *(v.astype("int64", copy=False) for v in (first, inverse, counts))
