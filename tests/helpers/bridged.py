"""Graphs that are called from other programs: twenty operators and three models, in float64."""

from collections.abc import Callable

import numpy as np
from op_samples import SAMPLES
from op_samples.graphs import feeds_of, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og

Arrays = dict[str, np.ndarray]

OPERATORS = [
    "Add", "Attention", "AveragePool", "BatchNormalization", "Concat", "Conv", "ConvTranspose",
    "Div", "Einsum", "Gather", "Gelu", "GridSample", "LSTM", "LayerNormalization", "MatMul", "Pow",
    "ReduceLogSumExp", "Resize", "Softmax", "Tanh",
]  # fmt: skip


def operator(name: str) -> tuple[og.Graph, Arrays, list[str]]:
    """Give the graph of an operator's first sample, its feeds, and what to differentiate by."""
    sample = next(s for s in SAMPLES if s.op == name and s.second_order and _is_small(s))
    graph = graph_of(sample)
    return graph, feeds_of(graph, sample), wrt_of(sample)


def _is_small(sample: Sample) -> bool:
    return sum(a.size for a in sample.inputs if a is not None) <= 200


def perceptron() -> tuple[og.Graph, Arrays, list[str]]:
    """Build two layers and the loss of labels; differentiate by the input and a weight."""
    rng = np.random.default_rng(0)
    b = og.Builder("perceptron")
    x, label = b.input("x", "float64", ("N", 3)), b.input("label", "int64", ("N",))
    w = b.parameter("w", rng.normal(size=(3, 4)))
    logits = b.op.Gelu(x @ w) @ b.parameter("v", rng.normal(size=(4, 3)))
    b.output(b.op.SoftmaxCrossEntropyLoss(logits, label), "loss")
    b.output(logits, "logits")
    return b.build(), {"x": rng.normal(size=(2, 3)), "label": np.array([0, 2])}, ["x", "w"]


def convolutional() -> tuple[og.Graph, Arrays, list[str]]:
    """Build a convolution, its normalization and a pool over images."""
    rng = np.random.default_rng(1)
    b = og.Builder("convolutional")
    x = b.input("x", "float64", ("N", 1, 5, 5))
    w = b.parameter("w", rng.normal(size=(2, 1, 3, 3)))
    ones = b.constant(np.ones(2))
    y = b.op.InstanceNormalization(b.op.Conv(x, w, strides=[2, 2]), ones, b.constant(np.zeros(2)))
    b.output(b.op.GlobalAveragePool(b.op.Sigmoid(y)), "y")
    return b.build(), {"x": rng.normal(size=(1, 1, 5, 5))}, ["x", "w"]


def recurrent() -> tuple[og.Graph, Arrays, list[str]]:
    """Build a loop with a state."""
    rng = np.random.default_rng(2)
    b = og.Builder("recurrent")
    x, w = b.input("x", "float64", ("N", 2)), b.parameter("w", rng.normal(size=(2, 2)))
    body = b.subgraph(
        lambda i, keep, s: (keep, b.op.Tanh(s @ w) + x), ("int64", ()), ("bool", ()), x
    )
    b.output(b.op.Loop(3, None, x, body=body), "y")
    return b.build(), {"x": rng.normal(size=(2, 2))}, ["x", "w"]


MODELS: list[Callable[[], tuple[og.Graph, Arrays, list[str]]]] = [
    perceptron,
    convolutional,
    recurrent,
]
