"""Names that users and files choose are theirs: what the compiler makes up gives way."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxgrad as og

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_a_name_that_was_made_up_before_gives_way() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2, 3))
    y = b.op.Sigmoid(x * 2)  # a constant, "Mul" and "Sigmoid" are made up
    later = b.input("constant", "float32", (2, 3))
    weight = b.parameter("Mul", np.full((3,), 3, np.float32))
    held = b.constant([1.0, 2, 3], name="Sigmoid")
    b.output(y * later * weight + held, "y")
    g = b.build()
    assert [v.name for v in g.inputs] == ["x", "constant"]
    assert g.find("Mul").parameter and g.find("Sigmoid").constant is not None
    given = og.compile(g).run({"x": X, "constant": X})["y"]
    np.testing.assert_allclose(given, X / (1 + np.exp(-2 * X)) * 3 + [1, 2, 3], rtol=1e-6)
    assert og.load(og.to_onnx(g)).find("constant") is not None


def test_names_inside_a_body_give_way_too() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2, 3))

    def body(step: og.Tensor, keep: og.Tensor, state: og.Tensor) -> tuple[og.Tensor, og.Tensor]:
        return keep, state + x

    y = b.op.Loop(3, None, x, body=b.subgraph(body, ("int64", ()), ("bool", ()), x))
    for name in ("body.in", "body.in_1", "Add"):
        y = y * b.input(name, "float32", ())
    b.output(y, "y")
    g = b.build()
    feeds = {"x": X, **{n: np.float32(2) for n in ("body.in", "body.in_1", "Add")}}
    np.testing.assert_array_equal(og.compile(g).run(feeds)["y"], 32 * X)
    backward = og.compile(og.vjp(g, "y", ["x", "Add"]))
    found = backward.run({**feeds, "y.grad": np.ones_like(X)})
    np.testing.assert_array_equal(found["x.grad"], np.full_like(X, 32))
    np.testing.assert_allclose(found["Add.grad"], 16 * X.sum())


def test_names_that_were_chosen_stay() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2, 3))
    b.constant([1.0], name="mine")
    b.op.Relu(x, name="act")
    b.op.Exp(x, outputs=["e"])
    b.output(b.op.Neg(x))
    for name in ("x", "mine", "act", "e", "Neg"):
        with pytest.raises(og.GraphError, match=f"the name '{name}' is used twice"):
            b.input(name, "float32", ())


def test_names_of_a_graph_that_is_built_on_stay_where_they_are_seen() -> None:
    b = og.Builder()
    b.output(b.op.Relu(b.input("x", "float32", (2, 3))))
    more = og.Builder.extend(b.build())
    with pytest.raises(og.GraphError, match="'Relu' is used twice"):
        more.input("Relu", "float32", ())


def old_model(*names: str) -> onnx.ModelProto:
    """Make a model of opset 9 whose Clip is upgraded before the names given are computed."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    nodes = [helper.make_node("Clip", ["x"], ["first"], min=1.0, max=4.0)]
    previous = "first"
    for name in names:
        nodes.append(helper.make_node("Add", [previous, "weight"], [name]))
        previous = name
    nodes.append(helper.make_node("ReduceSum", [previous], ["y"], axes=[0], keepdims=0))
    weight = numpy_helper.from_array(np.ones(3, np.float32), "weight")
    graph = helper.make_graph(nodes, "g", [x], [y], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=8)


def test_a_file_keeps_its_names_where_upgrades_make_up_some() -> None:
    names = ["constant", "constant_1", "constant_2", "first/Cast", "Identity"]
    g = og.load(old_model(*names))
    assert {v.name for v in g.values()} >= {"x", "y", "first", "weight", *names}
    expected = np.clip(X, 1, 4).sum(axis=0) + 2 * len(names)
    np.testing.assert_array_equal(og.compile(g).run({"x": X})["y"], expected)


def test_a_file_keeps_a_name_that_its_subgraph_has_too() -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    c = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    inside = helper.make_tensor_value_info("later", TensorProto.FLOAT, None)
    branches: Any = {
        f"{side}_branch": helper.make_graph(
            [helper.make_node(op_type, ["x"], ["later"])], side, [], [inside]
        )
        for side, op_type in (("then", "Neg"), ("else", "Identity"))
    }
    nodes = [
        helper.make_node("If", ["c"], ["chosen"], **branches),
        helper.make_node("Abs", ["chosen"], ["later"]),
        helper.make_node("Exp", ["later"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [x, c], [y])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    g = og.load(made)
    assert g.find("later") is g.nodes()[1].outputs[0]
    found = og.compile(g).run({"x": X, "c": np.array(True)})["y"]
    np.testing.assert_allclose(found, np.exp(X), rtol=1e-6)


@pytest.mark.parametrize("count", ["count", ""])
def test_a_loop_may_have_no_states_and_no_condition(count: str) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    step = helper.make_tensor_value_info("step", TensorProto.INT64, [])
    keep = helper.make_tensor_value_info("keep", TensorProto.BOOL, [])
    goes_on = helper.make_tensor_value_info("goes_on", TensorProto.BOOL, [])
    part = helper.make_tensor_value_info("part", TensorProto.FLOAT, [2, 3])
    three = numpy_helper.from_array(np.array(3), "three")
    count_of = numpy_helper.from_array(np.array(4), "count")
    nodes = [
        helper.make_node("Less", ["step", "three"], ["goes_on"]),
        helper.make_node("Mul", ["x", "x"], ["part"]),
    ]
    body = helper.make_graph(nodes, "body", [step, keep], [goes_on, part])
    loop = helper.make_node("Loop", [count, ""], ["y"], body=body)
    graph = helper.make_graph([loop], "g", [x], [y], [three, count_of])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    g = og.load(made)
    expected = np.stack([X * X] * 4)
    np.testing.assert_array_equal(og.compile(g).run({"x": X})["y"], expected)
    backward = og.compile(og.vjp(g, "y", "x"), backend="onnxruntime")
    found = backward.run({"x": X, "y.grad": np.ones_like(expected)})["x.grad"]
    np.testing.assert_array_equal(found, 8 * X)


def test_the_builder_takes_a_loop_of_a_count_alone() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2, 3))
    body = b.subgraph(lambda step, keep: (keep, x * x), ("int64", ()), ("bool", ()))
    b.output(b.op.Loop(2, body=body), "y")
    np.testing.assert_array_equal(og.compile(b.build()).run({"x": X})["y"], np.stack([X * X] * 2))
