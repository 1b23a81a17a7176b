"""Gradients of the classification losses: by the scores, and by the class weights."""

from ..composites.losses import label_weights, one_hot, without_ignored
from ..differentiation.rules import Entries, Entry, gradient
from ..emission.accumulation import accumulate, as_float32, cast_to
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@gradient("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy_loss(
    op: Ops, node: Node, dy: Value | None, dlog_prob: Value | None = None
) -> Entries:
    """dx = weight·(softmax − onehot)·dy, see SoftmaxCrossEntropyLossGrad; log_prob adds its own"""
    x, labels = node.required(2)
    weights = node.inputs[2:]
    log_prob = op.with_output(node, 1)
    parts: list[Value] = []
    if dy is not None:
        settings = {"reduction": "mean"} | node.attributes
        inputs = (dy, log_prob, labels, *weights)
        dx = op.composite("SoftmaxCrossEntropyLossGrad", *inputs, types=[x.type], **settings)
        parts.append(dx)
    if dlog_prob is not None:
        parts.append(op.composite("LogSoftmaxGrad", dlog_prob, log_prob, types=[x.type], axis=1))
    dx = parts[0] if len(parts) == 1 else op.Add(*parts)
    return dx, None, *(_by_weights(op, node, dy, log_prob) for _ in weights)


@gradient("NegativeLogLikelihoodLoss")
def negative_log_likelihood_loss(op: Ops, node: Node, dy: Value) -> Entries:
    """y = −weight·x at the label:  dx = −weight·dy there, over Σ weight for the mean"""
    (x, labels), weights = node.required(2), node.inputs[2:]
    weight = label_weights(op, x, labels, weights[0] if weights else None, node.attributes)
    scale = op.Neg(op.Mul(dy, weight))
    if _reduction(node) == "mean":
        total = op.ReduceSum(as_float32(op, weight), None, keepdims=0)  # over 65,504 labels, too
        scale = cast_to(op, op.Div(as_float32(op, scale), total), dy)
    dx = op.Where(one_hot(op, x, labels), op.Unsqueeze(scale, [1]), 0.0)
    dx = without_ignored(op, dx, labels, node.attributes)
    return dx, None, *(_by_weights(op, node, dy, x) for _ in weights)


def _by_weights(op: Ops, node: Node, dy: Value | None, log_prob: Value) -> Entry:
    """Sum −log_prob·dy over the labels of each class; the mean divides, and moves with Σ weight."""
    labels, weights = node.inputs[1:3]
    if dy is None or labels is None or weights is None:
        return None
    here = one_hot(op, log_prob, labels)
    loss = op.Neg(accumulate(op, op.Where(here, log_prob, 0.0), [1], keepdims=0))
    if _reduction(node) == "mean":
        weight = label_weights(op, log_prob, labels, weights, node.attributes)
        total = op.ReduceSum(as_float32(op, weight), None, keepdims=0)
        loss = op.Div(as_float32(op, op.Sub(loss, node.outputs[0])), total)
    terms = op.Mul(cast_to(op, dy, loss), loss)
    if (ignored := node.attributes.get("ignore_index")) is not None:
        terms = op.Where(op.Equal(labels, ignored), 0.0, terms)
    by_class = op.Where(here, op.Unsqueeze(terms, [1]), 0.0)
    rank = op.Size(op.Shape(log_prob))
    axes = op.Concat([0], op.Range(2, rank, 1), axis=0)
    return cast_to(op, accumulate(op, by_class, axes, keepdims=0), weights)


def _reduction(node: Node) -> str:
    name: str = attribute(node, "reduction")
    return name
