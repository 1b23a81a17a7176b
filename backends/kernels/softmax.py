"""Softmax, its relatives and the losses built on it."""

from typing import Any

from .late_checks import check_range_later
from .precision import widen, widened
from .registry import Array, composite_kernel, kernel


def _below_largest(xp: Any, x: Array, axis: int) -> Array:
    """Return x less its largest element along an axis, which may have none."""
    y = xp.empty_like(x)
    return xp.subtract(x, xp.max(x, axis=axis, keepdims=True), out=y) if x.size else y


@kernel("Softmax")
@widened
def softmax(xp: Any, x: Array, axis: int = -1) -> Array:
    """Return exp(x) / Σ exp(x) along an axis."""
    y = _below_largest(xp, x, axis)
    xp.exp(y, out=y)
    return xp.divide(y, xp.add.reduce(y, axis=axis, keepdims=True), out=y)


@kernel("LogSoftmax")
@widened
def log_softmax(xp: Any, x: Array, axis: int = -1) -> Array:
    """Return x - log Σ exp(x) along an axis."""
    y = _below_largest(xp, x, axis)
    return xp.subtract(y, xp.log(xp.add.reduce(xp.exp(y), axis=axis, keepdims=True)), out=y)


@kernel("Hardmax")
def hardmax(xp: Any, x: Array, axis: int = -1) -> Array:
    """Return 1 at the first largest element along an axis and 0 elsewhere."""
    y = xp.zeros_like(x)
    if not x.size:
        return y
    at = xp.expand_dims(xp.argmax(widen(x), axis=axis), axis)
    xp.put_along_axis(y, at, x.dtype.type(1), axis=axis)
    return y


@composite_kernel("SoftmaxGrad")
@widened
def softmax_grad(xp: Any, dy: Array, y: Array, axis: int = -1) -> Array:
    """Return y·(dy - Σ dy·y), y being the softmax."""
    dx = dy * y
    total = xp.add.reduce(dx, axis=axis, keepdims=True)
    dx -= y * total
    return dx


@composite_kernel("LogSoftmaxGrad")
@widened
def log_softmax_grad(xp: Any, dy: Array, y: Array, axis: int = -1) -> Array:
    """Return dy - exp(y)·Σ dy, y being the logarithm of the softmax."""
    dx = xp.exp(y, out=xp.empty_like(y))
    dx *= xp.add.reduce(dy, axis=axis, keepdims=True)
    return xp.subtract(dy, dx, out=dx)


def _label_weights(
    xp: Any, x: Array, labels: Array, weights: Array | None, ignore_index: int | None
) -> tuple[Array, Array]:
    """Return labels that are safe to index with, and the weight of each: 0 where ignored."""
    kept = None if ignore_index is None else labels != ignore_index
    safe = labels if kept is None else xp.where(kept, labels, labels.dtype.type(0))
    if xp.__name__ != "numpy":
        check_range_later(safe, x.shape[1])
    if kept is None:
        if weights is None:
            return labels, xp.ones(labels.shape, dtype=x.dtype)
        return labels, weights[labels]
    if weights is None:
        return safe, kept.astype(x.dtype)
    return safe, xp.where(kept, weights[safe], weights.dtype.type(0))


def _pick(xp: Any, x: Array, labels: Array) -> Array:
    """Return x[n, labels[n, …], …] for x of shape (batch, classes, …)."""
    return xp.take_along_axis(x, xp.expand_dims(labels, 1), axis=1).squeeze(1)


@kernel("NegativeLogLikelihoodLoss")
@widened
def negative_log_likelihood_loss(
    xp: Any,
    x: Array,
    labels: Array,
    weights: Array = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> Array:
    """Return -weight·x at the labels; x: (batch, classes, …), labels: (batch, …)."""
    safe, weight = _label_weights(xp, x, labels, weights, ignore_index)
    loss = -weight * _pick(xp, x, safe)
    if ignore_index is not None:  # an ignored element contributes 0, be its score infinite
        loss = xp.where(labels == ignore_index, x.dtype.type(0), loss)
    if reduction == "none":
        return loss
    total = xp.add.reduce(loss, axis=None)
    return total if reduction == "sum" else total / xp.add.reduce(weight, axis=None)


@kernel("SoftmaxCrossEntropyLoss")
@widened
def softmax_cross_entropy_loss(
    xp: Any,
    x: Array,
    labels: Array,
    weights: Array = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> tuple[Array, Array]:
    """Return the loss and the logarithm of the softmax over axis 1."""
    log_prob = log_softmax(xp, x, 1)
    loss = negative_log_likelihood_loss(xp, log_prob, labels, weights, reduction, ignore_index)
    return loss, log_prob


@composite_kernel("SoftmaxCrossEntropyLossGrad")
def softmax_cross_entropy_loss_grad(
    xp: Any,
    dy: Array,
    log_prob: Array,
    labels: Array,
    weights: Array = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> Array:
    """Return dy·weight·(softmax - onehot(label)), over Σ weight for the mean."""
    dtype = log_prob.dtype
    log_prob, dy, weights = widen(log_prob), widen(dy), widen(weights)
    safe, weight = _label_weights(xp, log_prob, labels, weights, ignore_index)
    scale = weight * dy
    if reduction == "mean":
        scale /= xp.add.reduce(weight, axis=None)
    scale = xp.expand_dims(scale, 1)
    dx = xp.exp(log_prob, out=xp.empty_like(log_prob))
    dx *= scale
    at = xp.expand_dims(safe, 1)
    xp.put_along_axis(dx, at, xp.take_along_axis(dx, at, axis=1) - scale, axis=1)
    if ignore_index is not None:  # the scores of an ignored label have the gradient 0, be they NaN
        dx = xp.where(xp.expand_dims(labels == ignore_index, 1), dx.dtype.type(0), dx)
    return dx.astype(dtype, copy=False)
