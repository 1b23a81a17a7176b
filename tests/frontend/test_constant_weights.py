"""Weights that an exporter wrote as Constant nodes are trained like initializers."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxgrad as og

W = np.array([[0.5, -1.0], [2.0, 1.0], [0.25, 3.0]], np.float32)
S, X = np.array([2.0, 3.0], np.float32), np.arange(6, dtype=np.float32).reshape(2, 3)


def model() -> onnx.ModelProto:
    """Give loss = Σ (x·(Wᵀ)ᵀ·(s + s)), W and s held by nodes."""
    nodes = [
        helper.make_node("Constant", [], ["wt"], value=numpy_helper.from_array(W.T.copy())),
        helper.make_node("Constant", [], ["s"], value=numpy_helper.from_array(S)),
        helper.make_node("Transpose", ["wt"], ["w"]),
        helper.make_node("Add", ["s", "s"], ["t"]),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        helper.make_node("Mul", ["y", "t"], ["z"]),
        helper.make_node("ReduceSum", ["z"], ["loss"], keepdims=0),
    ]
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3])
    loss = helper.make_tensor_value_info("loss", onnx.TensorProto.FLOAT, [])
    opsets = [helper.make_opsetid("", 17)]
    graph = helper.make_graph(nodes, "held", [x], [loss])
    made: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return made


def loss_of(w: Any, s: Any) -> float:
    return float((X @ w * 2 * s).sum())


@pytest.mark.parametrize("names", [None, ["wt"], ["wt", "s"]])
@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_they_are_trained(names: list[str] | None, backend: str) -> None:
    """By default those that a MatMul reads, others by name; nothing computed of them is kept."""
    graph = og.load(model())
    step = og.train_step(graph, "loss", og.optim.SGD(0.01), names)
    stepper = og.compile(step, backend).stepper()
    w, s = W.copy(), S.copy()
    for _ in range(3):
        np.testing.assert_allclose(stepper(x=X)["loss"], loss_of(w, s), rtol=1e-5)
        by_w, by_s = X.sum(0)[:, None] * 2 * s, 2 * (X @ w).sum(0)
        w = w - 0.01 * by_w
        if names and "s" in names:
            s = s - 0.01 * by_s
    state = stepper.state()
    assert set(state) == set(names or ["wt"])
    np.testing.assert_allclose(state["wt"], w.T, rtol=1e-5)
    trained = og.compile(og.with_parameters(graph, state), backend).run({"x": X})
    np.testing.assert_allclose(trained["loss"], loss_of(w, s), rtol=1e-5)
    assert og.compile(graph, backend).run({"x": X})["loss"] == pytest.approx(loss_of(W, S))


def test_what_is_computed_cannot_be_trained() -> None:
    with pytest.raises(og.GraphError, match="'w' is computed, so it cannot be trained"):
        og.train_step(og.load(model()), "loss", og.optim.SGD(0.01), ["w"])
