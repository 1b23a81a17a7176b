"""Files written for one runtime: what it lacks is spelled out, onnxruntime keeps its own."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxgrad as og
from onnxgrad.compiler.passes.runtimes import RUNTIMES


def forward() -> og.Graph:
    b = og.Builder("runtimes")
    x, label = b.input("x", "float32", (3, 4)), b.input("label", "int64", (3,))
    h = b.op.FastGelu(x, domain="com.microsoft")
    b.output(b.op.SoftmaxCrossEntropyLoss(h, label), "loss")
    return b.build()


def gradient() -> og.Graph:
    return og.grad(forward(), "loss", "x")


FEEDS = {"x": np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4), "label": np.array([0, 3, 1])}


@pytest.mark.parametrize("graph", [forward(), gradient()], ids=["forward", "gradient"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_written_is_the_same_function(
    runtime: str, graph: og.Graph, tmp_path: Path
) -> None:
    path = tmp_path / "graph.onnx"
    og.save(graph, path, runtime=runtime)
    model = onnx.load(path)
    called = {n.op_type for n in model.graph.node}
    assert not called & RUNTIMES[runtime].lacks
    if len(graph.outputs) == 1:  # differentiation takes the body
        assert ("FastGelu" in called) == RUNTIMES[runtime].contrib
    expected = og.compile(graph).run(FEEDS)
    found = onnxruntime.InferenceSession(path).run(list(expected), FEEDS)
    for actual, wanted in zip(found, expected.values(), strict=True):
        np.testing.assert_allclose(np.asarray(actual), wanted, rtol=1e-4, atol=1e-6)


def test_an_unknown_runtime_lists_those_known(tmp_path: Path) -> None:
    with pytest.raises(
        og.GraphError, match="there is no runtime 'onnx-runtime'; .*openvino, tract"
    ):
        og.save(gradient(), tmp_path / "a.onnx", runtime="onnx-runtime")
    with pytest.raises(og.GraphError, match="forms or a runtime"):
        og.save(gradient(), tmp_path / "a.onnx", forms={"ReluGrad": "product"}, runtime="tract")
    assert not list(tmp_path.iterdir())


def test_a_model_message_keeps_them_on_request() -> None:
    kept = og.to_onnx(forward(), contrib=True)
    assert "FastGelu" in [n.op_type for n in kept.graph.node]
    assert "com.microsoft" in [o.domain for o in kept.opset_import]


@pytest.fixture
def cube() -> Callable[..., Any]:
    return og.register_operator("runtimes.Cube(x: T) -> y: T where T: floats", shapes=lambda x: x)


@pytest.mark.parametrize("runtime", [None, *RUNTIMES])
def test_an_operator_without_a_body_is_named_for_every_runtime(
    runtime: str | None, cube: Callable[..., Any], tmp_path: Path
) -> None:
    b = og.Builder("own")
    x, chosen = b.input("x", "float32", (2,)), b.input("chosen", "bool", ())
    then, otherwise = b.subgraph(lambda: cube(x)), b.subgraph(lambda: x)
    b.output(b.op.If(chosen, then_branch=then, else_branch=otherwise), "y")
    stock = runtime is None or runtime.startswith("onnxruntime")
    who = "stock onnxruntime" if stock else runtime
    told = rf"^{who} will not load own.onnx: .* for runtimes.Cube .*; give runtimes.Cube a body"
    with pytest.warns(UserWarning, match=told):
        og.save(b.build(), tmp_path / "own.onnx", runtime=runtime)


@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_operator_with_a_body_is_not(runtime: str, functions: bool, tmp_path: Path) -> None:
    swish = og.register_operator(
        "runtimes.Swish(x: T) -> y: T where T: floats", lambda op, x: x * op.Sigmoid(x)
    )
    b = og.Builder("own")
    b.output(swish(b.input("x", "float32", (2,))), "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        og.save(b.build(), tmp_path / "own.onnx", runtime=runtime, functions=functions)
