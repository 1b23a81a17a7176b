"""Gradients by optionals and sequences that a graph is given: of their own type."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import onnxgrad as og

X = np.array([0.1, -0.7, 1.3])
TENSOR = helper.make_tensor_type_proto(TensorProto.DOUBLE, ["N"])
TYPES = {
    "tensor": TENSOR,
    "sequence": helper.make_sequence_type_proto(TENSOR),
}


def model(kind: str) -> onnx.ModelProto:
    """y = s·Σ sin(what x holds), and s where x is empty."""
    node = helper.make_node
    read = {
        "tensor": node("Identity", ["held"], ["all"]),
        "sequence": node("ConcatFromSequence", ["held"], ["all"], axis=0),
    }
    then = [
        node("OptionalGetElement", ["x"], ["held"]),
        read[kind],
        node("Sin", ["all"], ["sines"]),
        node("ReduceSum", ["sines"], ["total"], keepdims=0),
        node("Mul", ["total", "s"], ["scaled"]),
    ]
    branches: dict[str, Any] = {
        "then_branch": helper.make_graph(then, "then", [], [_scalar("scaled")]),
        "else_branch": helper.make_graph(
            [node("Identity", ["s"], ["plain"])], "else", [], [_scalar("plain")]
        ),
    }
    nodes = [
        node("OptionalHasElement", ["x"], ["present"]),
        node("If", ["present"], ["y"], **branches),
    ]
    x = helper.make_value_info("x", helper.make_optional_type_proto(TYPES[kind]))
    graph = helper.make_graph(nodes, "optional", [x, _scalar("s")], [_scalar("y")])
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def _scalar(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.DOUBLE, [])


GIVEN = [("tensor", X), ("tensor", None), ("sequence", [X, X[:2]]), ("sequence", None)]


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize(("kind", "x"), GIVEN)
def test_the_gradient_of_an_optional_is_one(kind: str, x: Any, backend: str) -> None:
    """dx = s·cos x, dx/ds = cos x; both are empty where x is."""
    graph = og.vjp(og.load(model(kind)), "y", ["x", "s"])
    assert str(graph.find("x.grad").type).startswith("optional(")
    onnx.checker.check_model(og.to_onnx(graph), full_check=True)
    second = og.vjp(graph, "s.grad", "x", names={"x": "x.second"})
    given = {"x": x, "s": np.array(2.0), "y.grad": np.array(1.0), "s.grad.grad": np.array(1.0)}
    results = og.compile(second, backend).run(given)
    assert_equal(results["x.grad"], x, lambda a: 2 * np.cos(a))
    assert_equal(results["x.second"], x, np.cos)
    expected = (
        1.0 if x is None else np.sin(np.concatenate([*x] if kind == "sequence" else [x])).sum()
    )
    np.testing.assert_allclose(results["s.grad"], expected, rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize(("kind", "x"), GIVEN)
def test_the_tangent_of_an_optional_is_one(kind: str, x: Any, backend: str) -> None:
    """Along u = x: ẏ = ṡ·Σ sin x + s·Σ x·cos x, the Hessian gives ṡ·cos x − s·x·sin x."""
    graph = og.load(model(kind))
    feeds = {"x": x, "s": np.array(2.0), "x.tangent": x, "s.tangent": np.array(0.5)}
    pushed = og.compile(og.jvp(graph, "y", ["x", "s"]), backend).run(feeds)["y.tangent"]
    products = og.compile(og.hvp(graph, "y", ["x", "s"]), backend).run(feeds)
    assert_equal(products["x.hvp"], x, lambda a: 0.5 * np.cos(a) - 2 * a * np.sin(a))
    if x is None:
        assert pushed == 0.5 and products["s.hvp"] == 0
        return
    all_ = np.concatenate([*x] if kind == "sequence" else [x])
    moved = (all_ * np.cos(all_)).sum()
    np.testing.assert_allclose(pushed, 0.5 * np.sin(all_).sum() + 2 * moved, rtol=1e-12)
    np.testing.assert_allclose(products["s.hvp"], moved, rtol=1e-12)


def assert_equal(actual: Any, x: Any, slope: Any) -> None:
    if x is None:
        assert actual is None
    elif isinstance(x, list):
        assert len(actual) == len(x)
        for a, element in zip(actual, x, strict=True):
            np.testing.assert_allclose(a, slope(element), rtol=1e-12)
    else:
        np.testing.assert_allclose(actual, slope(x), rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_an_optional_read_twice_adds_up(backend: str) -> None:
    """Σ sin(x)·x by an optional that two nodes open, and once more by its cotangent."""
    node = helper.make_node
    nodes = [
        node("OptionalGetElement", ["x"], ["a"]),
        node("OptionalGetElement", ["x"], ["b"]),
        node("Sin", ["a"], ["c"]),
        node("Mul", ["c", "b"], ["d"]),
        node("ReduceSum", ["d"], ["y"], keepdims=0),
    ]
    x = helper.make_value_info("x", helper.make_optional_type_proto(TENSOR))
    proto = helper.make_graph(nodes, "twice", [x], [_scalar("y")])
    loaded = og.load(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)]))
    graph = og.vjp(loaded, "y", "x")
    second = og.vjp(graph, "x.grad", "x", names={"x": "x.second", "x.grad": "u"})
    u = np.array([1.0, 2.0, -1.0])
    results = og.compile(second, backend).run({"x": X, "y.grad": np.array(1.0), "u": u})
    np.testing.assert_allclose(results["x.grad"], np.sin(X) + X * np.cos(X))
    np.testing.assert_allclose(results["x.second"], u * (2 * np.cos(X) - X * np.sin(X)))


@pytest.mark.parametrize("count", [0, 3])
def test_an_optional_read_in_a_loop(count: int) -> None:
    b = og.Builder("loop")
    given = b.input("x", "float64", (3,))
    held, n = b.op.Optional(given), b.input("n", "int64", ())
    start = b.constant(np.ones(3))

    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        return keep, t * b.op.OptionalGetElement(held)

    body = b.subgraph(step, ("int64", ()), ("bool", ()), start)
    b.output(b.op.ReduceSum(b.op.Loop(n, None, start, body=body), keepdims=0), "y")
    graph = og.grad(b.build(), "y", "x")
    results = og.compile(graph).run({"x": X, "n": np.array(count)})
    np.testing.assert_allclose(results["x.grad"], count * X ** max(count - 1, 0))


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_by_a_sequence_of_a_sequence(backend: str) -> None:
    """The cotangent of a sequence comes in as a sequence, its gradient leaves as one."""
    sequence = helper.make_value_info("s", TYPES["sequence"])
    result = helper.make_value_info("r", TYPES["sequence"])
    nodes = [
        helper.make_node("SequenceAt", ["s", "k"], ["e"]),
        helper.make_node("Sin", ["e"], ["f"]),
        helper.make_node("SequenceInsert", ["s", "f"], ["r"]),
    ]
    k = onnx.numpy_helper.from_array(np.array(1), "k")
    proto = helper.make_graph(nodes, "sequence", [sequence], [result], [k])
    loaded = og.load(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)]))
    graph = og.vjp(loaded, "r", "s")
    pushed = og.compile(og.jvp(loaded, "r", "s"), backend)
    tangent = pushed.run({"s": [X, X[:2]], "s.tangent": [X, X[:2]]})["r.tangent"]
    for actual, expected in zip(tangent, [X, X[:2], X[:2] * np.cos(X[:2])], strict=True):
        np.testing.assert_allclose(actual, expected)
    results = og.compile(graph, backend).run({"s": [X, X[:2]], "r.grad": [X + 1, X[:2] + 2, X[:2]]})
    np.testing.assert_allclose(results["s.grad"][0], X + 1)
    np.testing.assert_allclose(results["s.grad"][1], X[:2] + 2 + X[:2] * np.cos(X[:2]))


def test_an_optional_of_integers_is_refused() -> None:
    whole = helper.make_tensor_type_proto(TensorProto.INT64, [2])
    x = helper.make_value_info("x", helper.make_optional_type_proto(whole))
    nodes = [
        helper.make_node("OptionalGetElement", ["x"], ["a"]),
        helper.make_node("Cast", ["a"], ["y"], to=TensorProto.FLOAT),
    ]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
    proto = helper.make_graph(nodes, "whole", [x], [y])
    loaded = og.load(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 18)]))
    with pytest.raises(og.GradientError, match="optional"):
        og.vjp(loaded, "y", "x")


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("kind", ["tensor", "sequence"])
def test_the_tangent_goes_through_an_optional_that_the_graph_made(kind: str, backend: str) -> None:
    """y = (what was put in)²: ẏ = 2x·ẋ, and its gradient by x 2ẋ."""
    b = og.Builder("made")
    op = b.op
    x = b.input("x", "float64", (3,))
    held = op.OptionalGetElement(
        op.Optional(x if kind == "tensor" else op.SequenceConstruct(x + 1.0, x))
    )
    y = held if kind == "tensor" else op.SequenceAt(held, 1)
    b.output(y * y, "y")
    pushed = og.jvp(b.build(), "y", "x")
    second = og.vjp(pushed, "y.tangent", "x")
    feeds = {"x": X, "x.tangent": X + 1, "y.tangent.grad": np.ones(3)}
    found = og.compile(second, backend).run(feeds)
    np.testing.assert_allclose(found["y.tangent"], 2 * X * (X + 1), rtol=1e-12)
    np.testing.assert_allclose(found["x.grad"], 2 * (X + 1), rtol=1e-12)
