"""Reductions, running sums and what compares along an axis."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..operator import Operator, register
from ..program import Array
from ..scope import Scope
from .special import mean

Reduce = Callable[[Array, tuple[int, ...]], Array]


def reduction(
    name: str, reduce: Reduce, distance: Callable[[Array, tuple[int, ...]], Array] | None = None
) -> Operator:
    """Describe a reduction with its axes as an input."""

    def draw(s: Scope) -> None:
        x = s.pick(rank=(0, 4))
        rank = s.rank(x)
        settings: dict[str, Any] = {}
        if s.chance(0.6):
            settings["keepdims"] = s.whole(0, 1)
        if s.chance(0.25):
            if s.chance(0.3):
                settings["noop_with_empty_axes"] = s.whole(0, 1)
            s.call(name, [x], **settings)
            return
        count = s.whole(1, min(rank, 2)) if rank else 0
        axes = s.rng.choice(rank, count, replace=False) if rank else np.zeros(0, np.int64)
        signed = [int(a) - rank * s.chance(0.3) for a in axes]
        s.call(name, [x, s.setting(np.array(signed, np.int64))], **settings)

    def forward(x: Array, axes: Array | None = None, **settings: Any) -> Array:
        chosen = _axes(x, axes, settings.get("noop_with_empty_axes", 0))
        result = reduce(x, chosen)
        if not settings.get("keepdims", 1):
            return result.reshape([n for k, n in enumerate(x.shape) if k not in chosen])
        return result

    def far(x: Array, axes: Array | None = None, **settings: Any) -> Array:
        assert distance is not None
        return distance(x, _axes(x, axes, settings.get("noop_with_empty_axes", 0)))

    return Operator(name, draw, forward, far if distance else None, weight=0.6)


def _axes(x: Array, axes: Array | None, keeps: int) -> tuple[int, ...]:
    if axes is None or not axes.size:
        return () if keeps else tuple(range(x.ndim))
    return tuple(sorted(int(a) % x.ndim for a in axes))


def _last(x: Array, axes: tuple[int, ...]) -> Array:
    """Give what is reduced as one last axis, sorted."""
    moved = np.moveaxis(x, axes, range(-len(axes), 0)) if axes else x[..., None]
    kept = moved.shape[: moved.ndim - max(len(axes), 1)]
    return np.sort(moved.reshape(*kept, -1) if moved.size else np.zeros((*kept, 0)), axis=-1)


def _top_gap(x: Array, axes: tuple[int, ...]) -> Array:
    ordered = _last(x, axes)
    return np.ones(()) if ordered.shape[-1] < 2 else ordered[..., -1] - ordered[..., -2]


def _bottom_gap(x: Array, axes: tuple[int, ...]) -> Array:
    return _top_gap(-x, axes)


def _norm(x: Array, axes: tuple[int, ...]) -> Array:
    return np.sqrt(np.sum(x * x, axis=axes, keepdims=True))


def _log_sum_exp(x: Array, axes: tuple[int, ...]) -> Array:
    return np.log(np.sum(np.exp(x), axis=axes, keepdims=True))


def _draw_arg(name: str) -> Callable[[Scope], None]:
    def draw(s: Scope) -> None:
        x = s.pick(rank=(1, 4))
        settings: dict[str, Any] = {"axis": s.axis(s.rank(x))}
        if s.chance(0.5):
            settings["keepdims"] = s.whole(0, 1)
        s.call(name, [x], **settings)

    return draw


def _arg(find: Callable[..., Array]) -> Callable[..., Array]:
    def forward(x: Array, axis: int = 0, keepdims: int = 1) -> Array:
        return np.asarray(find(x, axis=axis, keepdims=bool(keepdims)), np.int64)

    return forward


def _draw_cumulative(name: str) -> Callable[[Scope], None]:
    def draw(s: Scope) -> None:
        x = s.pick(rank=(1, 4))
        settings: dict[str, Any] = {n: 1 for n in ("exclusive", "reverse") if s.chance(0.4)}
        s.call(name, [x, s.setting(np.array(s.axis(s.rank(x))))], **settings)

    return draw


def _cumulative(run: Callable[..., Array], start: float) -> Callable[..., Array]:
    def forward(x: Array, axis: Array, exclusive: int = 0, reverse: int = 0) -> Array:
        moved = np.moveaxis(x, int(axis), 0)
        moved = moved[::-1] if reverse else moved
        result = run(moved, axis=0)
        if exclusive and len(result):
            result = np.concatenate([np.full_like(result[:1], start), result[:-1]])
        return np.moveaxis(result[::-1] if reverse else result, 0, int(axis))

    return forward


def _draw_top_k(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    axis = s.axis(s.rank(x))
    count = s.whole(0 if s.chance(0.1) else 1, min(d[axis] for d in [s.shape(x)]))
    s.call(
        "TopK",
        [x, s.setting(np.array([count]))],
        dtype=[s.dtype(x), "int64"],
        axis=axis,
        largest=s.whole(0, 1),
    )


def _top_k(x: Array, k: Array, axis: int, largest: int) -> tuple[Array, Array]:
    if int(k[0]) > x.shape[axis]:
        raise ValueError("k exceeds the axis")
    order = np.argsort(-x if largest else x, axis=axis, kind="stable")
    order = np.take(order, np.arange(int(k[0])), axis=axis)
    return np.take_along_axis(x, order, axis), order.astype(np.int64)


def _gaps_along(x: Array, k: Array, axis: int, largest: int) -> Array:
    return np.diff(np.sort(x, axis=axis), axis=axis)


register(
    reduction("ReduceSum", lambda x, a: np.sum(x, axis=a, keepdims=True)),
    reduction("ReduceMean", mean),
    reduction("ReduceProd", lambda x, a: np.prod(x, axis=a, keepdims=True)),
    reduction("ReduceMax", lambda x, a: np.max(x, axis=a, keepdims=True), _top_gap),
    reduction("ReduceMin", lambda x, a: np.min(x, axis=a, keepdims=True), _bottom_gap),
    reduction(
        "ReduceL1",
        lambda x, a: np.sum(np.abs(x), axis=a, keepdims=True),
        lambda x, a: np.abs(x),
    ),
    reduction("ReduceL2", _norm, lambda x, a: _norm(x, a) / 5),
    reduction(
        "ReduceLogSum",
        lambda x, a: np.log(np.sum(x, axis=a, keepdims=True)),
        lambda x, a: np.sum(x, axis=a, keepdims=True) / 10,
    ),
    reduction("ReduceLogSumExp", _log_sum_exp),
    reduction("ReduceSumSquare", lambda x, a: np.sum(x * x, axis=a, keepdims=True)),
    Operator(
        "ArgMax",
        _draw_arg("ArgMax"),
        _arg(np.argmax),
        lambda x, axis=0, keepdims=1: _top_gap(x, (axis % x.ndim,)),
        weight=0.3,
    ),
    Operator(
        "ArgMin",
        _draw_arg("ArgMin"),
        _arg(np.argmin),
        lambda x, axis=0, keepdims=1: _bottom_gap(x, (axis % x.ndim,)),
        weight=0.2,
    ),
    Operator("CumSum", _draw_cumulative("CumSum"), _cumulative(np.cumsum, 0.0), weight=0.6),
    Operator("CumProd", _draw_cumulative("CumProd"), _cumulative(np.cumprod, 1.0), weight=0.4),
    Operator("TopK", _draw_top_k, _top_k, _gaps_along, weight=0.6),
)
