"""Losses between embeddings: by their angle, and by telling one partner from all others."""

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph

from ..building.builder import Tensor
from .prediction import Prediction, require_positive

_LEAST = 1e-8
"""No vector counts as shorter, so that the angle of 0 has a derivative: 0."""


def cosine(
    graph: Graph,
    of: str | None = None,
    target: str = "target",
    name: str = "loss",
    *,
    axis: int = -1,
) -> Graph:
    """Add the mean of 1 − cos(x, t), the angle between vectors along an axis.

    Args:
        graph: any graph.
        of: the prediction x, floats; by default the only float output.
        target: the input t to add, of the type of x; or a value of the graph.
        name: the output to add.
        axis: the axis of the vectors.
    """
    p = Prediction(graph, of, name)
    axis = p.axis(axis, "vectors")
    x, t = p.tensor, p.widen(p.target(target, *p.like()))
    cos = p.op.ReduceSum(_unit(p, x, axis) * _unit(p, t, axis), [axis], keepdims=0)
    return p.finish(p.mean(1.0 - cos))


def info_nce(
    graph: Graph,
    of: str | None = None,
    positive: str = "positive",
    name: str = "loss",
    *,
    temperature: float = 0.07,
) -> Graph:
    """Add the cross-entropy of telling each row's partner from the partners of all other rows.

    The logits are cos(xᵢ, pⱼ)/τ, and the right class of row i is i.

    Args:
        graph: any graph with embeddings (batch, size).
        of: the embeddings x, floats; by default the only float output.
        positive: the input p to add, of the type of x: row by row the partners; or a value of the
            graph, such as the embeddings by another part of the model.
        name: the output to add.
        temperature: τ, over 0.

    Raises:
        GraphError: the embeddings are not a matrix.
    """
    p, tau = Prediction(graph, of, name), require_positive(temperature, "temperature")
    if len(p.shape) != 2:
        raise GraphError(f"'{p.name}' is {p.raw.value.type}; embeddings are (batch, size)")
    op = p.op
    x, others = p.tensor, p.widen(p.target(positive, *p.like()))
    logits = (_unit(p, x, 1) @ op.Transpose(_unit(p, others, 1))) * (1 / tau)
    rows = op.Range(np.array(0), op.Squeeze(op.Shape(x, start=0, end=1)), np.array(1))
    return p.finish(op.SoftmaxCrossEntropyLoss(logits, rows))


def _unit(p: Prediction, x: Tensor, axis: int) -> Tensor:
    squares = p.op.ReduceSum(x * x, [axis], keepdims=1)
    return x / p.op.Sqrt(p.op.Max(squares, np.array(_LEAST**2, x.dtype)))
