"""Moves of elements on NumPy arrays: what only places, repeats or picks them is exact."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .exact_numbers import Array, Function, Inexact, is_plain, of_integers


def _reshape(x: Array, shape: Array, allowzero: int) -> Any:
    """Give x in another shape: 0 keeps a size unless allowzero, −1 takes what is left."""
    target = shape.tolist()
    if -1 in target and not x.size:
        raise Inexact
    return x.reshape([x.shape[k] if n == 0 and not allowzero else n for k, n in enumerate(target)])


def _flatten(x: Array, axis: int) -> Any:
    """Give x as a matrix whose rows are the axes before `axis`."""
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


def _squeeze(x: Array, axes: Array | None = None) -> Any:
    """Drop the given axes of size 1, or all of them."""
    return np.squeeze(x, None if axes is None else tuple(axes.tolist()))


def _unsqueeze(x: Array, axes: Array) -> Any:
    """Insert axes of size 1 so that they stand at `axes` of the result."""
    return np.expand_dims(x, tuple(axes.ravel().tolist()))


def _transpose(x: Array, perm: Sequence[int] | None = None) -> Any:
    """Permute the axes, or reverse them."""
    return np.transpose(x, perm)


def _concat(*inputs: Array, axis: int) -> Any:
    """Join arrays along an axis."""
    return np.concatenate(inputs, axis)


def _slice(
    x: Array, starts: Array, ends: Array, axes: Array | None = None, steps: Array | None = None
) -> Any:
    """Take every step-th element from start to end along each of the axes; bounds are limited."""
    where = range(starts.size) if axes is None else axes.tolist()
    strides = [1] * starts.size if steps is None else steps.tolist()
    for axis, start, end, step in zip(where, starts.tolist(), ends.tolist(), strides, strict=True):
        x = np.take(x, sliced(x.shape[axis], start, end, step), axis)
    return x


def sliced(size: int, start: int, end: int, step: int) -> range:
    """Give the places that Slice takes of an axis of `size` elements."""
    lowest, highest = (0, size) if step > 0 else (-1, size - 1)
    first, last = (n + size if n < 0 else n for n in (start, end))
    first = min(max(first, 0), highest)
    return range(first, min(max(last, lowest), highest), step)


def _expand(x: Array, shape: Array) -> Any:
    """Broadcast x with a shape."""
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape.tolist())))


def constant(**held: Any) -> Array:
    """Give what a Constant holds in whichever attribute it has."""
    ((kind, value),) = held.items()
    return np.asarray(value, _CONSTANT_DTYPES.get(kind))


_CONSTANT_DTYPES: dict[str, Any] = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_string": object,
    "value_strings": object,
}
"""What Constant makes of its attributes that are not tensors."""


def _constant_of_shape(shape: Array, value: Array | None = None) -> Any:
    """Give an array of one value, float32 zero by default."""
    value = np.zeros(1, np.float32) if value is None else value
    return np.full(tuple(shape.tolist()), value.reshape(()), value.dtype)


def _gather(x: Array, indices: Array, axis: int) -> Any:
    """Take slices along an axis; negative indices count from its end."""
    return np.take(x, indices, axis)


def _gather_elements(x: Array, indices: Array, axis: int) -> Any:
    """Take elements whose place along an axis is an index, along the others their own."""
    return x[_places(indices, axis)]


def _scatter_elements(x: Array, indices: Array, updates: Array, axis: int, reduction: str) -> Any:
    """Write updates where GatherElements would read, or reduce integers with what is there."""
    y, places = x.copy(), _places(indices, axis)
    if reduction != "none":
        of_integers(_REDUCTIONS[reduction].at)(y, places, updates)
        return y
    if not np.diff(np.sort(indices % x.shape[axis], axis), axis=axis).all():
        raise Inexact  # of updates for one place any may win
    y[places] = updates
    return y


_REDUCTIONS: dict[str, Any] = {
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


def _places(indices: Array, axis: int) -> tuple[Array, ...]:
    places: list[Array] = [*np.indices(indices.shape, sparse=True)]
    places[axis] = indices
    return tuple(places)


def _gather_nd(x: Array, indices: Array, batch_dims: int) -> Any:
    """Take the slices that index tuples (last axis) select."""
    if batch_dims:
        raise Inexact
    return x[tuple(np.moveaxis(indices, -1, 0))]


def _pad(
    x: Array, pads: Array, value: Array | None = None, axes: Array | None = None, *, mode: str
) -> Any:
    """Add elements before and after axes, or cut off as many as a negative number says."""
    where = range(x.ndim) if axes is None else axes.tolist()
    cuts, added = [slice(None)] * x.ndim, [(0, 0)] * x.ndim
    for axis, before, after in zip(where, *np.reshape(pads, (2, -1)).tolist(), strict=True):
        size = x.shape[axis]
        cuts[axis] = slice(max(-before, 0), size - max(-after, 0))
        added[axis] = max(before, 0), max(after, 0)
        if mode == "constant":
            defined = min(before, 0) + min(after, 0) >= -size
        else:
            defined = 0 <= min(before, after) and max(before, after) <= size - (mode == "reflect")
        if not defined or not is_plain(x.dtype):
            raise Inexact
    if mode != "constant":
        return np.pad(x, added, mode)  # type: ignore[call-overload]  # edge, reflect or wrap
    fill = np.zeros((), x.dtype) if value is None else value.reshape(())
    return np.pad(x[tuple(cuts)], added, constant_values=fill)


def _trilu(x: Array, k: Array | None = None, *, upper: int) -> Any:
    """Keep the upper or lower triangle of the last two axes, from the k-th diagonal on."""
    return (np.triu if upper else np.tril)(x, 0 if k is None else int(k.item()))


MOVES: dict[str, Function] = {
    "Concat": _concat,
    "Constant": constant,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Identity": lambda x: x,
    "Pad": _pad,
    "Reshape": _reshape,
    "ScatterElements": _scatter_elements,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Trilu": _trilu,
    "Unsqueeze": _unsqueeze,
    "Where": np.where,
}
"""Operators by name, as functions of their inputs and attributes."""
