"""Operators that read and write by index."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..operator import Operator, Unsuitable, register
from ..program import Array
from ..scope import Scope, Sizes, given


def _indices(s: Scope, size: int, shape: tuple[int, ...]) -> Array:
    """Draw indices into an axis, negative ones at times, repeated ones mostly."""
    if size == 0 and np.prod(shape):
        raise Unsuitable("nothing to index")
    low = -size if s.chance(0.3) else 0
    return s.rng.integers(low, max(size, low + 1), shape)


def _size(sizes: Sizes) -> int:
    """Give the size that indices may reach in every world."""
    return min(sizes)


def _draw_gather(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    axis = s.axis(s.rank(x))
    shape = tuple(s.whole(1, 3) for _ in range(s.choice([0, 1, 1, 2])))
    if shape and s.chance(0.08):
        shape = (0, *shape[1:])
    indices = _indices(s, _size(s.dims(x)[axis]), shape)
    s.call("Gather", [x, s.setting(indices)], **given(axis != 0 or s.chance(0.5), axis=axis))


def _gather(x: Array, indices: Array, axis: int = 0) -> Array:
    return np.take(x, indices, axis=axis)


def _draw_gather_elements(s: Scope) -> None:
    x = s.pick(rank=(1, 3))
    axis = s.axis(s.rank(x))
    shape = [_size(d) for d in s.dims(x)]
    shape = [n if s.chance(0.7) else s.whole(min(n, 1), n) for n in shape]
    shape[axis] = s.whole(1, 3)
    s.call(
        "GatherElements",
        [x, s.setting(_indices(s, _size(s.dims(x)[axis]), tuple(shape)))],
        axis=axis,
    )


def _gather_elements(x: Array, indices: Array, axis: int) -> Array:
    return x[_places(x, indices, axis)]


def _places(x: Array, indices: Array, axis: int) -> tuple[Array, ...]:
    """Give the position in x of each entry of a tensor of indices along an axis."""
    grid: list[Any] = list(np.indices(indices.shape))
    if any(
        n > m
        for k, (n, m) in enumerate(zip(indices.shape, x.shape, strict=True))
        if k != axis % x.ndim
    ):
        raise ValueError("more indices than entries")
    grid[axis] = indices
    return tuple(grid)


def _draw_gather_nd(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    dims = s.dims(x)
    batch = s.whole(0, min(1, len(dims) - 1))
    if batch and len(set(dims[0])) > 1:
        raise Unsuitable("a batch that is no number")
    depth = s.whole(1, len(dims) - batch)
    lead = [dims[0][0]] * batch + [s.whole(1, 3) for _ in range(s.whole(0 if batch else 1, 1))]
    parts = [_indices(s, _size(dims[batch + k]), tuple(lead)) for k in range(depth)]
    indices = s.setting(np.stack(parts, axis=-1))
    s.call("GatherND", [x, indices], **given(batch > 0, batch_dims=batch))


def _gather_nd(x: Array, indices: Array, batch_dims: int = 0) -> Array:
    if batch_dims:
        rows = [_gather_nd(a, i) for a, i in zip(x, indices, strict=True)]
        depth = indices.shape[-1]
        shape = (*indices.shape[1:-1], *x.shape[1 + depth :])
        return np.stack(rows) if rows else np.zeros((0, *shape))
    return x[tuple(np.moveaxis(indices, -1, 0))]


_REDUCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "max": np.maximum,
    "min": np.minimum,
    "none": lambda a, b: b,
}


def _distinct(indices: Array) -> bool:
    rows = indices.reshape(-1, indices.shape[-1]) if indices.ndim else indices
    return len(np.unique(rows, axis=0)) == len(rows)


def _draw_scatter_elements(s: Scope) -> None:
    x = s.pick(rank=(1, 3), where=lambda a: a.size > 0)
    axis = s.axis(s.rank(x))
    shape = [_size(d) for d in s.dims(x)]
    along = shape[axis]
    shape = [n if s.chance(0.7) else s.whole(1, n) for n in shape]
    reduction = s.choice(["none", "add", "add", "mul", "max", "min"])
    if reduction == "none":
        shape[axis] = s.whole(1, along)
        order = np.argsort(s.rng.random([*shape[:axis], along, *shape[axis:][1:]]), axis=axis)
        indices = np.take(order, np.arange(shape[axis]), axis=axis)
        if s.chance(0.3):
            indices = indices - along
    else:
        shape[axis] = s.whole(1, 3)
        indices = _indices(s, along, tuple(shape))
    updates = s.matching([(n,) * s.drawn.profile.worlds for n in shape], s.dtype(x))
    settings = given(reduction != "none", reduction=reduction)
    s.call("ScatterElements", [x, s.setting(indices), updates], axis=axis, **settings)


def _scatter_elements(
    x: Array, indices: Array, updates: Array, axis: int, reduction: str = "none"
) -> Array:
    y = x.copy()
    places = _places(x, indices, axis)
    for k in np.ndindex(indices.shape):
        at = tuple(int(p[k]) for p in places)
        y[at] = _REDUCTIONS[reduction](y[at], updates[k])
    return y


def _draw_scatter_nd(s: Scope) -> None:
    x = s.pick(rank=(1, 3), where=lambda a: a.size > 0)
    dims = s.dims(x)
    depth = s.whole(1, len(dims))
    reduction = s.choice(["none", "add", "add", "mul", "max", "min"])
    rows = (s.whole(1, 3),)
    indices = np.stack([_indices(s, _size(d), rows) for d in dims[:depth]], axis=-1)
    wrapped = indices % np.array([_size(d) for d in dims[:depth]])
    if reduction == "none" and not _distinct(wrapped):
        raise Unsuitable("the standard leaves open which wins")
    updates = s.matching([(rows[0],) * s.drawn.profile.worlds, *dims[depth:]], s.dtype(x))
    settings = given(reduction != "none", reduction=reduction)
    s.call("ScatterND", [x, s.setting(indices), updates], **settings)


def _scatter_nd(x: Array, indices: Array, updates: Array, reduction: str = "none") -> Array:
    y = x.copy()
    for k in np.ndindex(indices.shape[:-1]):
        at = tuple(int(n) for n in indices[k])
        y[at] = _REDUCTIONS[reduction](y[at], updates[k])
    return y


def _scatter_distance(x: Array, indices: Array, updates: Array, **settings: Any) -> Array:
    """Where the larger or smaller one wins, all that may meet shall differ."""
    if settings.get("reduction") not in ("max", "min"):
        return np.ones(())
    return np.diff(np.sort(np.concatenate([x.ravel(), updates.ravel()])))


def _draw_one_hot(s: Scope) -> None:
    depth = s.whole(1, 4)
    indices = s.rng.integers(-depth, depth + 1, tuple(s.whole(1, 3) for _ in range(s.whole(1, 2))))
    values = s.new([(2,) * s.drawn.profile.worlds])
    rank = indices.ndim + 1
    settings = given(s.chance(0.6), axis=s.whole(-rank, rank - 1))
    dtype = s.drawn.profile.dtypes[0]
    inputs = [s.setting(indices), s.setting(np.array(depth)), values]
    s.call("OneHot", inputs, dtype=dtype, **settings)


def _one_hot(indices: Array, depth: Array, values: Array, axis: int = -1) -> Array:
    count = int(depth)
    inside = (indices >= -count) & (indices < count)
    hot = (indices[..., None] % count == np.arange(count)) & inside[..., None]
    return np.moveaxis(np.where(hot, values[1], values[0]), -1, axis)


def _draw_compress(s: Scope) -> None:
    x = s.pick(rank=(1, 3), where=lambda a: a.size > 0)
    axis = s.axis(s.rank(x)) if s.chance(0.7) else None
    size = min(s.dims(x)[axis]) if axis is not None else min(env[x].size for env in s.drawn.envs)
    condition = s.constant(s.rng.random(s.whole(1, size)) < 0.6)
    s.call("Compress", [x, condition], **given(axis is not None, axis=axis))


def _compress(x: Array, condition: Array, axis: int | None = None) -> Array:
    return np.compress(condition, x, axis=axis)


register(
    Operator("Gather", _draw_gather, _gather, weight=2),
    Operator("GatherElements", _draw_gather_elements, _gather_elements),
    Operator("GatherND", _draw_gather_nd, _gather_nd),
    Operator("ScatterElements", _draw_scatter_elements, _scatter_elements, _scatter_distance),
    Operator("ScatterND", _draw_scatter_nd, _scatter_nd, _scatter_distance),
    Operator("OneHot", _draw_one_hot, _one_hot, weight=0.5),
    Operator("Compress", _draw_compress, _compress, weight=0.5),
)
