"""Softmax, normalizations and losses."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..operator import Operator, Unsuitable, f32, register
from ..program import Array
from ..scope import Scope, given
from .special import log_softmax, mean, softmax
from .windows import image


def _draw_along(name: str) -> Callable[[Scope], None]:
    def draw(s: Scope) -> None:
        x = s.pick(rank=(1, 4))
        s.call(name, [x], **given(s.chance(0.7), axis=s.axis(s.rank(x))))

    return draw


def _hardmax(x: Array, axis: int = -1) -> Array:
    first = np.argmax(x, axis=axis, keepdims=True)
    positions = np.arange(x.shape[axis]).reshape(
        [-1 if k == axis % x.ndim else 1 for k in range(x.ndim)]
    )
    return (positions == first).astype(np.float64)


def _top_gap(x: Array, axis: int = -1) -> Array:
    ordered = np.sort(x, axis=axis)
    return np.diff(ordered, axis=axis).take([-1], axis=axis) if x.shape[axis] > 1 else np.ones(())


def _draw_lp(s: Scope) -> None:
    x = s.pick(rank=(1, 4))
    settings = given(s.chance(0.6), p=s.whole(1, 2))
    s.call("LpNormalization", [x], axis=s.axis(s.rank(x)), **settings)


def _lp(x: Array, axis: int = -1, p: int = 2) -> Array:
    return np.asarray(x / (np.abs(x) ** p).sum(axis=axis, keepdims=True) ** (1 / p))


def _lp_distance(x: Array, axis: int = -1, p: int = 2) -> Array:
    return np.abs(x) if p == 1 else np.sqrt((x * x).sum(axis=axis)) / 5


def _spread(x: Array, axes: tuple[int, ...]) -> Array:
    """Give how far a normalization is from dividing by nothing."""
    return np.sqrt(mean((x - mean(x, axes)) ** 2, axes)) / 5


def _normalized(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    centred = x - mean(x, axes)
    return np.asarray(centred / np.sqrt(mean(centred**2, axes) + epsilon))


def _epsilon(s: Scope) -> dict[str, Any]:
    return given(s.chance(0.5), epsilon=s.choice([2.0**-10, 2.0**-6]))


def _stash(s: Scope, x: int) -> dict[str, Any]:
    """Let float64 be computed in float64; the default is float32."""
    return {**_epsilon(s), **given(s.dtype(x) == "float64", stash_type=11)}


def _draw_layer(s: Scope) -> None:
    x = s.pick(rank=(1, 4), where=lambda a: a.size > 0)
    axis = s.axis(s.rank(x))
    dims = s.dims(x)[axis:] if axis < 0 else s.dims(x)[axis:]
    scale = s.matching(dims, s.dtype(x))
    bias = s.matching(dims, s.dtype(x)) if s.chance(0.6) else None
    settings = _stash(s, x)
    if axis != -1 or s.chance(0.5):
        settings["axis"] = axis
    s.call("LayerNormalization", [x, scale, bias], **settings)


def _trailing(x: Array, axis: int) -> tuple[int, ...]:
    return tuple(range(axis % x.ndim, x.ndim))


def _layer(
    x: Array,
    scale: Array,
    bias: Array | None = None,
    axis: int = -1,
    epsilon: float = f32(1e-5),
    stash_type: int = 1,
) -> Array:
    y = _normalized(x, _trailing(x, axis), epsilon) * scale
    return y if bias is None else y + bias


def _draw_rms(s: Scope) -> None:
    x = s.pick(rank=(1, 4), where=lambda a: a.size > 0)
    axis = s.axis(s.rank(x))
    scale = s.matching(s.dims(x)[axis:], s.dtype(x))
    s.call("RMSNormalization", [x, scale], axis=axis, **_stash(s, x))


def _rms(
    x: Array, scale: Array, axis: int = -1, epsilon: float = f32(1e-5), stash_type: int = 1
) -> Array:
    square = mean(x * x, _trailing(x, axis))
    return np.asarray(x / np.sqrt(square + epsilon) * scale)


def _draw_group(s: Scope) -> None:
    groups = s.whole(1, 2)
    channels = groups * s.whole(1, 2)
    x = image(s, channels=(channels,) * s.drawn.profile.worlds)
    per = [(channels,) * s.drawn.profile.worlds]
    scale, bias = (s.matching(per, s.dtype(x)) for _ in range(2))
    s.call("GroupNormalization", [x, scale, bias], num_groups=groups, **_stash(s, x))


def _group(
    x: Array,
    scale: Array,
    bias: Array,
    num_groups: int,
    epsilon: float = f32(1e-5),
    stash_type: int = 1,
) -> Array:
    parts = x.reshape(x.shape[0], num_groups, -1)
    y = _normalized(parts, (2,), epsilon).reshape(x.shape)
    per = (-1, *[1] * (x.ndim - 2))
    return y * scale.reshape(per) + bias.reshape(per)


def _draw_per_channel(name: str) -> Callable[[Scope], None]:
    def draw(s: Scope) -> None:
        x = image(s)
        channels = [s.dims(x)[1]]
        if len(set(channels[0])) > 1:
            raise Unsuitable("channels that are no number")
        count = 2 if name == "InstanceNormalization" else 3
        inputs = [x, *(s.matching(channels, s.dtype(x)) for _ in range(count))]
        if name == "BatchNormalization":
            inputs.append(s.new(channels, s.dtype(x), values=s.positive))
        s.call(name, inputs, **_epsilon(s))

    return draw


def _instance(x: Array, scale: Array, bias: Array, epsilon: float = f32(1e-5)) -> Array:
    per = (-1, *[1] * (x.ndim - 2))
    y = _normalized(x, tuple(range(2, x.ndim)), epsilon)
    return y * scale.reshape(per) + bias.reshape(per)


def _batch(
    x: Array, scale: Array, bias: Array, mean: Array, var: Array, epsilon: float = f32(1e-5)
) -> Array:
    scale, bias, mean, var = (a.reshape(-1, *[1] * (x.ndim - 2)) for a in (scale, bias, mean, var))
    return np.asarray((x - mean) / np.sqrt(var + epsilon) * scale + bias)


def _draw_mean_variance(s: Scope) -> None:
    x = s.pick(rank=(2, 4), where=lambda a: a.size > 0)
    count = s.whole(1, s.rank(x))
    axes = sorted(int(a) for a in s.rng.choice(s.rank(x), count, replace=False))
    s.call("MeanVarianceNormalization", [x], axes=axes)


def _mean_variance(x: Array, axes: list[int]) -> Array:
    centred = x - mean(x, tuple(axes))
    deviation = np.sqrt(mean(x * x, tuple(axes)) - (x - centred) ** 2)
    return np.asarray(centred / (deviation + 1e-9))


def _draw_loss(name: str) -> Callable[[Scope], None]:
    def draw(s: Scope) -> None:
        x = s.pick(rank=(2, 4), where=lambda a: a.size > 0)
        dims = s.dims(x)
        classes = min(dims[1])
        labels = s.new(
            [dims[0], *dims[2:]],
            "int64",
            values=lambda shape: np.asarray(s.rng.integers(0, classes, shape)),
        )
        weights = s.new([dims[1]], s.dtype(x), values=s.positive) if s.chance(0.4) else None
        settings: dict[str, Any] = {}
        if s.chance(0.6):
            settings["reduction"] = s.choice(["mean", "sum", "none"])
        if s.chance(0.3):
            settings["ignore_index"] = s.whole(0, classes - 1)
        s.call(name, [x, labels, weights], **settings)

    return draw


def _nll(
    x: Array,
    labels: Array,
    weights: Array | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> Array:
    weights = np.ones(x.shape[1]) if weights is None else weights
    each = weights[labels]
    if ignore_index is not None:
        each = np.where(labels == ignore_index, 0.0, each)
    losses = -np.take_along_axis(x, labels[:, None], axis=1)[:, 0] * each
    if reduction == "none":
        return losses
    return np.asarray(losses.sum() / each.sum() if reduction == "mean" else losses.sum())


def _cross_entropy(x: Array, labels: Array, weights: Array | None = None, **settings: Any) -> Array:
    return _nll(log_softmax(x, axis=1), labels, weights, **settings)


def _loss_distance(x: Array, labels: Array, weights: Array | None = None, **settings: Any) -> Array:
    """A mean over nothing is no number."""
    ignored = settings.get("ignore_index")
    return np.asarray(1.0 if ignored is None or (labels != ignored).any() else 0.0)


register(
    Operator("Softmax", _draw_along("Softmax"), softmax, weight=1.5),
    Operator("LogSoftmax", _draw_along("LogSoftmax"), log_softmax),
    Operator("Hardmax", _draw_along("Hardmax"), _hardmax, _top_gap, weight=0.2),
    Operator("LpNormalization", _draw_lp, _lp, _lp_distance, weight=0.6),
    Operator(
        "LayerNormalization",
        _draw_layer,
        _layer,
        lambda x, scale, bias=None, axis=-1, **_: _spread(x, _trailing(x, axis)),
        weight=1.2,
    ),
    Operator(
        "RMSNormalization",
        _draw_rms,
        _rms,
        lambda x, scale, axis=-1, **_: np.sqrt(mean(x * x, _trailing(x, axis))) / 5,
        weight=0.6,
    ),
    Operator(
        "GroupNormalization",
        _draw_group,
        _group,
        lambda x, scale, bias, num_groups, **_: _spread(
            x.reshape(x.shape[0], num_groups, -1), (2,)
        ),
        weight=0.5,
    ),
    Operator(
        "InstanceNormalization",
        _draw_per_channel("InstanceNormalization"),
        _instance,
        lambda x, scale, bias, **_: _spread(x, tuple(range(2, x.ndim))),
        weight=0.6,
    ),
    Operator("BatchNormalization", _draw_per_channel("BatchNormalization"), _batch, weight=0.8),
    Operator(
        "MeanVarianceNormalization",
        _draw_mean_variance,
        _mean_variance,
        lambda x, axes: _spread(x, tuple(axes)),
        weight=0.4,
    ),
    Operator(
        "NegativeLogLikelihoodLoss",
        _draw_loss("NegativeLogLikelihoodLoss"),
        _nll,
        _loss_distance,
        weight=0.5,
    ),
    Operator(
        "SoftmaxCrossEntropyLoss",
        _draw_loss("SoftmaxCrossEntropyLoss"),
        _cross_entropy,
        _loss_distance,
        weight=0.8,
    ),
)
