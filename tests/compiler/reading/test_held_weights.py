"""Weights are found wherever a file holds them: in Constants, in bodies, in functions."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxgrad as og

W = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32) / 2
X = np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32)


def constant(name: str, array: Any) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, name))


def floats(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3])


def body(kind: str, weight: str, held: str) -> onnx.GraphProto:
    """Make a graph that multiplies what a Loop carries, else x, by a weight that it holds."""
    arrays = [numpy_helper.from_array(W, weight)] if held == "initializer" else []
    nodes = [] if arrays else [constant(weight, W)]
    read = "s" if kind == "Loop" else "x"
    nodes.append(helper.make_node("MatMul", [read, weight], [f"{weight}.y"]))
    if kind == "If":
        return helper.make_graph(nodes, weight, [], [floats(f"{weight}.y")], arrays)
    number = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    going, still = (helper.make_tensor_value_info(n, TensorProto.BOOL, []) for n in ("c", "d"))
    nodes.append(helper.make_node("Identity", ["c"], ["d"]))
    inputs, outputs = [number, going, floats("s")], [still, floats(f"{weight}.y")]
    return helper.make_graph(nodes, weight, inputs, outputs, arrays)


def model(kind: str, held: str) -> onnx.ModelProto:
    functions = []
    if kind == "If":
        nodes = [
            constant("least", np.float32(-1e9)),
            helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
            helper.make_node("Greater", ["total", "least"], ["taken"]),
            helper.make_node(
                "If", ["taken"], ["y"],
                then_branch=body(kind, "w", held), else_branch=body(kind, "v", held),
            ),
        ]  # fmt: skip
    elif kind == "Loop":
        loop = helper.make_node("Loop", ["two", "", "x"], ["y"], body=body(kind, "w", held))
        nodes = [constant("two", np.int64(2)), loop]
    else:
        inner = [constant("w", W), helper.make_node("MatMul", ["a", "w"], ["b"], name="product")]
        opsets = [helper.make_opsetid("", 20)]
        functions = [helper.make_function("own", "Layer", ["a"], ["b"], inner, opsets)]
        nodes = [
            helper.make_node("Layer", ["x"], ["h"], domain="own"),
            helper.make_node("Layer", ["h"], ["y"], domain="own"),
        ]
    graph = helper.make_graph(nodes, "held", [floats("x")], [floats("y")])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    made: onnx.ModelProto = helper.make_model(
        graph, functions=functions, opset_imports=opsets, ir_version=10
    )
    return made


@pytest.mark.parametrize("held", ["initializer", "Constant"])
@pytest.mark.parametrize("kind", ["If", "Loop", "function"])
def test_weights_inside_of_bodies_are_trained(kind: str, held: str) -> None:
    """d/dW Σ (x·W)² = 2·xᵀ·x·W; of (x·W)·W with one W likewise, by each of its places."""
    graph = og.load(model(kind, held))
    b = og.Builder.extend(graph)
    y = b.value("y")
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    step = og.train_step(b.build(), optimizer=og.optim.SGD(0.01))
    taken = {"If": ["w"], "Loop": ["w"], "function": ["h/w", "y/w"]}[kind]
    dy = 2 * X @ W if kind == "If" else 2 * X @ W @ W
    first, second = X.T @ (dy if kind == "If" else dy @ W.T), (X @ W).T @ dy
    slopes = {"If": [first], "Loop": [first + second], "function": [first, second]}[kind]
    for backend in ("numpy", "onnxruntime"):
        stepper = og.compile(step, backend).stepper()
        stepper(x=X)
        for name, slope in zip(taken, slopes, strict=True):
            np.testing.assert_allclose(stepper.state()[name], W - 0.01 * slope, rtol=1e-4)


@pytest.mark.parametrize("held", ["initializer", "Constant"])
@pytest.mark.parametrize("kind", ["If", "Loop"])
def test_weights_go_back_into_bodies(kind: str, held: str, tmp_path: Any) -> None:
    proto = model(kind, held)
    graph = og.with_parameters(og.load(proto), {"w": W + 1})
    onnx.save(proto, tmp_path / "before.onnx")
    og.save_weights(graph, tmp_path / "before.onnx", tmp_path / "after.onnx")
    session: Any = onnxruntime.InferenceSession(tmp_path / "after.onnx")
    (found,) = session.run(None, {"x": X})
    expected = X @ (W + 1) if kind == "If" else X @ (W + 1) @ (W + 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_a_weight_in_a_constant_may_be_cast_and_joined(dtype: Any) -> None:
    nodes = [
        constant("a", W[:1].astype(dtype)),
        constant("b", W[1:].astype(dtype)),
        helper.make_node("Concat", ["a", "b"], ["ab"], axis=0),
        helper.make_node("Cast", ["ab"], ["w"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "held", [floats("x")], [floats("y")])
    opsets = [helper.make_opsetid("", 20)]
    loaded = og.load(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    assert [v.name for v in loaded.parameters] == ["a", "b"]


def test_nodes_of_a_function_that_is_called_twice_have_two_names_in_a_file() -> None:
    """onnxruntime takes no two nodes of one name."""
    proto = og.to_onnx(og.vjp(og.load(model("function", "Constant")), "y", "x"))
    names = [node.name for node in proto.graph.node if node.name]
    assert len(set(names)) == len(names)
    session: Any = onnxruntime.InferenceSession(proto.SerializeToString())
    y, dx = session.run(None, {"x": X, "y.grad": np.ones((2, 3), np.float32)})
    np.testing.assert_allclose(y, X @ W @ W, rtol=1e-5)
    np.testing.assert_allclose(dx, np.ones((2, 3)) @ W.T @ W.T, rtol=1e-5)


@pytest.mark.parametrize("omitted", [0, 1, 2])
def test_a_part_that_nobody_asks_for_ends_no_process(omitted: int) -> None:
    """onnxruntime's Split writes every part."""
    names = ["" if k == omitted else f"part{k}" for k in range(3)]
    kept = [name for name in names if name]
    nodes = [
        helper.make_node("Split", ["x"], names, axis=1, num_outputs=3),
        helper.make_node("Mul", kept, ["y"]),
    ]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])
    graph = helper.make_graph(nodes, "parts", [floats("x")], [y])
    opsets = [helper.make_opsetid("", 20)]
    loaded = og.load(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    expected = np.prod(np.delete(X, omitted, 1), axis=1, keepdims=True)
    for backend in ("numpy", "onnxruntime"):
        np.testing.assert_allclose(og.compile(loaded, backend)(x=X)["y"], expected, rtol=1e-6)
