"""Files written for one runtime: what it lacks is spelled out, onnxruntime keeps its own."""

from pathlib import Path

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
