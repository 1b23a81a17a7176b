"""Training-mode BatchNormalization leaves its inputs alone in stock onnxruntime."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og

X = np.random.default_rng(0).normal(size=(4, 2, 5)).astype(np.float32)
START = {"scale": [1, 1], "bias": [0, 0], "mean": [0, 0], "variance": [1, 1]}
ARRAYS = {name: np.array(numbers, np.float32) for name, numbers in START.items()}
MEAN, VARIANCE = X.mean((0, 2), dtype="f8"), X.var((0, 2), dtype="f8")
Y = (X - MEAN[:, None]) / np.sqrt(VARIANCE[:, None] + 1e-5)


def normalization(constant: bool, read: str, rank: bool = True) -> og.Graph:
    """Sum of y³ in training mode; `read` tells what becomes of the running statistics."""
    b = og.Builder("normalization")
    x = b.input("x", "float32", (4, 2, 5) if rank else ("A", "B", "C"))
    if not rank:
        x = b.op.Reshape(x, b.op.Compress(b.op.Shape(x), [True, True, True]))
        assert x.shape is None
    given = [
        b.parameter(name, array) if constant else b.input(name, "float32", (2,))
        for name, array in ARRAYS.items()
    ]
    y, mean, variance = b.op.BatchNormalization(x, *given, training_mode=1, outputs=3)
    b.output(b.op.ReduceSum(y * y * y, keepdims=0), "loss")
    if read == "inside":
        b.output(mean + variance, "sum")
    if read == "outside":
        b.output(mean, "mean.new")
        b.output(variance, "variance.new")
    return b.build()


def check(run: Any, constant: bool) -> None:
    """Run several times; every result is right and the arrays stay."""
    feeds = {"x": X.copy()} | ({} if constant else {n: a.copy() for n, a in ARRAYS.items()})
    mean, variance = 0.1 * MEAN, 0.9 + 0.1 * VARIANCE
    expected = {
        "loss": (Y**3).sum(),
        "sum": mean + variance,
        "mean.new": mean,
        "variance.new": variance,
    }
    for _ in range(3):
        for name, array in run(feeds).items():
            np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)
    for name, array in feeds.items():
        np.testing.assert_array_equal(array, {"x": X, **ARRAYS}[name])


@pytest.mark.parametrize("rank", [True, False], ids=["ranked", "unranked"])
@pytest.mark.parametrize("read", ["nowhere", "inside", "outside"])
@pytest.mark.parametrize("constant", [True, False], ids=["initializers", "inputs"])
def test_statistics_are_not_overwritten(constant: bool, read: str, rank: bool) -> None:
    graph = normalization(constant, read, rank)
    for opset in (13, 14, 21):
        model = og.to_onnx(graph, opset=opset).SerializeToString()
        session = onnxruntime.InferenceSession(model)
        names = [v.name for v in graph.outputs]

        def run(feeds: Any, session: Any = session, names: Any = names) -> Any:
            return dict(zip(names, session.run(None, feeds), strict=True))

        check(run, constant)
    check(og.compile(graph, "onnxruntime").run, constant)


def test_a_branch_is_no_place_for_them_either() -> None:
    """onnxruntime moves a branch that is always taken into the graph around it."""
    b = og.Builder("branch")
    x, *given = (b.input(n, "float32", a.shape) for n, a in {"x": X, **ARRAYS}.items())

    def normalized() -> Any:
        return b.op.BatchNormalization(x, *given, training_mode=1, outputs=3)

    then = b.subgraph(normalized)
    otherwise = b.subgraph(lambda: (x, given[2], given[3]))
    condition = b.constant(np.array(True))
    y, mean, variance = b.op.If(condition, then_branch=then, else_branch=otherwise, outputs=3)
    b.output(b.op.ReduceSum(y * y * y, keepdims=0), "loss")
    b.output(mean + variance, "sum")
    graph = b.build()
    session: Any = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    check(lambda feeds: dict(zip(["loss", "sum"], session.run(None, feeds), strict=True)), False)


def test_the_operator_stays_where_its_statistics_go_out() -> None:
    model = og.to_onnx(normalization(False, "outside"))
    assert [n.op_type for n in model.graph.node].count("BatchNormalization") == 1
    assert "ReduceMean" not in [n.op_type for n in model.graph.node]
