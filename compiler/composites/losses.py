"""Body of the gradient of the cross-entropy loss, and how losses read their labels."""

from typing import Any

from ..emission.accumulation import as_float32, cast_to
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..standard.schemas import attribute
from .registry import form


@form("SoftmaxCrossEntropyLossGrad")
def softmax_cross_entropy_loss_grad(op: Ops, node: Node) -> Value:
    """dx = dy·weight·(softmax − onehot(label)), over Σ weight for the mean"""
    dy, log_prob, labels = node.required(3)
    rest = node.inputs[3:]
    weight = label_weights(op, log_prob, labels, rest[0] if rest else None, node.attributes)
    scale = op.Mul(dy, weight)
    if attribute(node, "reduction") == "mean":
        total = op.ReduceSum(as_float32(op, weight), None, keepdims=0)  # over 65,504 labels, too
        scale = cast_to(op, op.Div(as_float32(op, scale), total), dy)
    here = one_hot(op, log_prob, labels)
    softmax = op.Exp(log_prob)
    slope = op.Where(here, op.Sub(softmax, 1.0), softmax)
    return without_ignored(op, op.Mul(slope, op.Unsqueeze(scale, [1])), labels, node.attributes)


def without_ignored(op: Ops, dx: Value, labels: Value, attributes: dict[str, Any]) -> Value:
    """Give 0 for the scores of an ignored label, be they NaN."""
    ignored = attributes.get("ignore_index")
    if ignored is None:
        return dx
    result = op.Where(op.Unsqueeze(op.Equal(labels, ignored), [1]), op.like(0, dx), dx)
    return result


def label_weights(
    op: Ops, scores: Value, labels: Value, weights: Value | None, attributes: dict[str, Any]
) -> Value:
    """Give the weight of each label, 0 where it is ignored, in the dtype of the scores."""
    ignored = attributes.get("ignore_index")
    kept = None if ignored is None else op.Not(op.Equal(labels, ignored))
    if weights is None:
        if kept is None:
            return op.Expand(op.like(1, scores), op.Shape(labels))
        return cast_to(op, kept, scores)
    if kept is None:
        return cast_to(op, op.Gather(weights, labels), scores)
    weight = op.Gather(weights, op.Where(kept, labels, 0))
    result = op.Where(kept, cast_to(op, weight, scores), 0.0)
    return result


def one_hot(op: Ops, scores: Value, labels: Value) -> Value:
    """Mark each label's class: booleans of the shape of the scores, classes on axis 1.

    A negative label counts from the last class, as it does where runtimes pick its score.
    """
    count = op.Shape(scores, start=1, end=2)
    labels = op.Cast(op.Unsqueeze(labels, [1]), to="int64")
    labels = op.Where(op.Less(labels, 0), op.Add(labels, count), labels)
    ones = op.Expand(op.constant([1]), op.Sub(op.Shape(op.Shape(scores)), 2))
    classes = op.Range(0, op.Squeeze(count, [0]), 1)
    column = op.Reshape(classes, op.Concat([1], count, ones, axis=0), allowzero=1)
    return op.Equal(labels, column)
