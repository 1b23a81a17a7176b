"""Initializers that an exporter merged are split; ties on purpose stay."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxgrad as og


def merged() -> og.Graph:
    """Three LayerNormalizations of one scale and one bias, and a product by a tied table."""
    b = og.Builder()
    table = b.parameter("table", np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32))
    scale, bias = (
        b.parameter("scale", np.ones(4, np.float32)),
        b.parameter("bias", np.zeros(4, np.float32)),
    )
    h = b.op.Gather(table, b.input("x", "int64", ("N",)))
    for _ in range(3):
        h = b.op.Tanh(b.op.LayerNormalization(h, scale, bias))
    logits = h @ b.op.Transpose(table)
    b.output(b.op.ReduceSum(logits * logits, keepdims=0), "loss")
    return b.build()


def test_each_operator_gets_its_own() -> None:
    before = merged()
    after = og.untie(before)
    names = ["table", "scale", "bias", "scale_1", "scale_2", "bias_1", "bias_2"]
    assert [v.name for v in after.parameters] == names
    norms = [n for n in after.nodes() if n.op_type == "LayerNormalization"]
    assert [[v.name for v in n.inputs[1:] if v] for n in norms] == [
        ["scale", "bias"], ["scale_1", "bias_1"], ["scale_2", "bias_2"],
    ]  # fmt: skip
    feeds = {"x": np.array([1, 5, 2])}
    assert og.compile(after).run(feeds)["loss"] == og.compile(before).run(feeds)["loss"]


def test_the_gradient_is_split_among_them() -> None:
    before, feeds = merged(), {"x": np.array([1, 5, 2])}
    together = og.compile(og.grad(before, "loss", "scale")).run(feeds)["scale.grad"]
    apart = og.compile(og.grad(og.untie(before), "loss", "scale*")).run(feeds)
    parts = [apart[f"{name}.grad"] for name in ("scale", "scale_1", "scale_2")]
    np.testing.assert_allclose(sum(parts), together, rtol=1e-5)
    assert not np.allclose(parts[0], parts[1])


def test_a_tie_is_split_when_it_is_named(tmp_path: Path) -> None:
    after = og.untie(merged(), "table")
    assert {v.name for v in after.parameters} == {"table", "table_1", "scale", "bias"}
    og.save(after, tmp_path / "model.onnx")
    assert {v.name for v in og.load(tmp_path / "model.onnx").parameters} >= {"table", "table_1"}


def test_identities_bear_the_names(tmp_path: Path) -> None:
    """torch's older exporter keeps the name of a merged parameter as that of an Identity."""
    ones = numpy_helper.from_array(np.ones(4, np.float32), "first.weight")
    nodes = [
        helper.make_node("Identity", ["first.weight"], ["second.weight"]),
        helper.make_node("LayerNormalization", ["x", "first.weight"], ["h"]),
        helper.make_node("LayerNormalization", ["h", "second.weight"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["N", 4]) for n in "xy")
    graph = helper.make_graph(nodes, "net", [x], [y], [ones])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    g = og.untie(og.load(model))
    assert [v.name for v in g.parameters] == ["first.weight", "second.weight"]
    assert [n.op_type for n in g.nodes()] == ["LayerNormalization"] * 2


def test_bodies_read_their_own() -> None:
    b = og.Builder()
    x, scale = b.input("x", "float32", (2, 4)), b.parameter("scale", np.ones(4, np.float32))
    h = b.op.LayerNormalization(x, scale)
    body = b.subgraph(
        lambda i, go, s: (go, b.op.LayerNormalization(s, scale)), ("int64", ()), ("bool", ()), h
    )
    b.output(b.op.Loop(3, None, h, body=body), "y")
    before = b.build()
    after = og.untie(before)
    assert [v.name for v in after.parameters] == ["scale", "scale_1"]
    feeds = {"x": np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)}
    expected = og.compile(before).run(feeds)["y"]
    for backend in ("numpy", "onnxruntime"):
        np.testing.assert_allclose(og.compile(after, backend).run(feeds)["y"], expected, rtol=1e-5)
    assert [v.name for v in before.parameters] == ["scale"]


def test_training_no_longer_warns() -> None:
    g = merged()
    with pytest.warns(UserWarning, match=r"scale or bias of 3 operators .* og.untie"):
        og.train_step(g, "loss", og.optim.SGD(0.1))
    step = og.train_step(og.untie(g), "loss", og.optim.SGD(0.1))
    assert len(og.initial_state(step)) == 7


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("scal", "has no value 'scal'"),
        ("x", "'x' is not an initializer"),
        ("*.w", "nothing matches"),
    ],
)
def test_refusals(chosen: Any, message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.untie(merged(), chosen)
