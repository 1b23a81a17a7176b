"""Cross-entropy: of one class out of several, and of yes or no."""

from typing import Any

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import as_array, require_number
from onnxgrad.compiler.graph.ir import Graph

from ..building.builder import Tensor
from .labels import note_labels
from .prediction import Prediction, require_index


def cross_entropy(
    graph: Graph,
    of: str | None = None,
    label: str = "label",
    name: str = "loss",
    *,
    axis: int | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    weight: Any = None,
) -> Graph:
    """Add −log softmax(logits) at the label: its mean over all labels that are not ignored.

    A label that is out of range makes the loss and its gradients NaN; `check_labels` names it. If
    all labels are ignored, the mean is 0/0, NaN, too.

    Args:
        graph: any graph with logits. Those of a last Softmax or LogSoftmax are what it reads.
        of: the logits, floats; by default the only float output.
        label: the input to add, int64 of the shape of the logits without `axis`; or a value of the
            graph.
        name: the output to add.
        axis: where the classes are: -1 for models of tokens (batch, time, classes), 1 for models of
            images (batch, classes, height, width). It may be left out for (batch, classes).
        label_smoothing: ε in [0, 1]: the target is 1 − ε + ε/classes at the label, ε/classes
            elsewhere.
        ignore_index: labels of this value do not count.
        weight: a number for each class; the mean is then weighted by the label's.

    Raises:
        GraphError: an argument does not fit the logits.
    """
    p = Prediction(graph, of, name)
    op, axis = p.op, p.classes(axis)
    smoothing = require_number(label_smoothing, "label_smoothing", least=0)
    if smoothing > 1:
        raise GraphError(f"label_smoothing must be in [0, 1], got {label_smoothing}")
    ignored = require_index(ignore_index, "ignore_index")
    logits = p.before("Softmax", "LogSoftmax", axis=axis)
    shape = (*p.shape[:axis], *p.shape[axis + 1 :])
    labels = p.target(label, np.dtype(np.int64), shape)
    scores, labels = _classes_second(op, logits, labels, axis)
    count = op.Squeeze(op.Shape(scores, start=1, end=2), [0])
    kept = op.Not(op.Equal(labels, ignored))
    wrong = op.And(kept, op.Or(op.Less(labels, 0), op.GreaterOrEqual(labels, count)))
    safe = op.Where(wrong, 0, labels)
    weights = None if weight is None else _weights(p, weight, axis, scores)
    if smoothing:
        scores = op.Where(op.Unsqueeze(kept, [1]), scores, 0.0)  # NaN where ignored harms nobody
    losses, log_prob = op.SoftmaxCrossEntropyLoss(
        scores, safe, weights, ignore_index=ignored, reduction="none", outputs=2
    )
    if smoothing:
        spread = log_prob if weights is None else log_prob * _along_second(op, weights, scores)
        evenly = op.Where(kept, -op.ReduceSum(spread, [1], keepdims=0), 0.0)
        share = smoothing / op.Cast(count, to=scores.dtype)
        losses = losses * (1 - smoothing) + evenly * share
    losses = p.spoil(losses, wrong)
    counted = op.Cast(kept, to=scores.dtype)
    if weights is not None:
        counted = counted * op.Gather(weights, op.Where(kept, safe, 0))
    loss = op.Div(op.ReduceSum(losses, keepdims=0), op.ReduceSum(counted, keepdims=0))
    result = p.finish(loss)
    note_labels(result, label, p.shape[axis], ignored)
    return result


def binary_cross_entropy(
    graph: Graph,
    of: str | None = None,
    label: str = "label",
    name: str = "loss",
    *,
    positive_weight: float = 1.0,
) -> Graph:
    """Add the mean of −w·z·log σ(x) − (1 − z)·log(1 − σ(x)), for logits x and labels z.

    Args:
        graph: any graph with logits. Those of a last Sigmoid are what it reads.
        of: the logits x, floats; by default the only float output.
        label: the input z to add, of the type of the logits: 0 to 1, else the loss is NaN.
        name: the output to add.
        positive_weight: w, what a label of 1 counts.

    Raises:
        GraphError: an argument does not fit the logits.
    """
    p = Prediction(graph, of, name)
    op, w = p.op, require_number(positive_weight, "positive_weight", least=0)
    x = p.before("Sigmoid")
    z = p.widen(p.target(label, *p.like()))
    # −log(1 − σ(x)) = x − log σ(x), and −log σ(x) = softplus(−x), which cannot overflow
    surprise = op.Softplus(-x)
    if w != 1:
        surprise = surprise * (1.0 + (w - 1) * z)
    no_label = op.Not(op.And(op.GreaterOrEqual(z, 0.0), op.LessOrEqual(z, 1.0)))
    return p.finish(p.mean(p.spoil(x * (1.0 - z) + surprise, no_label)))


def _classes_second(op: Any, x: Tensor, labels: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Bring the classes to axis 1, where ONNX has them; for the last axis without moving any."""
    rank = len(x.shape or ())
    if axis == 1:
        return x, labels
    if axis != rank - 1:
        x = op.Transpose(x, perm=[k for k in range(rank) if k != axis] + [axis])
    rows = op.Concat(np.array([-1]), op.Shape(x, start=-1), axis=0)
    return op.Reshape(x, rows), op.Reshape(labels, [-1])


def _weights(p: Prediction, weight: Any, axis: int, scores: Tensor) -> Tensor:
    array = as_array(weight, scores.dtype)
    if array.ndim != 1 or isinstance(p.shape[axis], int) and len(array) != p.shape[axis]:
        raise GraphError(
            f"weight must be one number for each of the {p.shape[axis]} classes, it has the shape "
            f"{array.shape}"
        )
    if not np.isfinite(array).all():
        raise GraphError(f"weight holds what is not finite: {weight}")
    return p.builder.constant(array)


def _along_second(op: Any, weights: Tensor, scores: Tensor) -> Tensor:
    return op.Reshape(weights, [1, -1, *[1] * (len(scores.shape or ()) - 2)])
