"""Constants that products read in more ways than one are written once for each."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxgrad as og
from onnxgrad.compiler.passes.keep_weights_apart import keep_weights_apart

W = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)


def gradient(kind: str) -> og.Graph:
    """Two layers of one weight, in a branch too, by the input."""
    b = og.Builder("square")
    shape = (2, 4, 1, 1) if kind == "Conv" else (2, 4)
    x = b.input("x", "float32", shape)
    w = b.parameter("w", W.reshape(4, 4, 1, 1) if kind == "Conv" else W)

    def layer(h: Any) -> Any:
        return b.op.Tanh(getattr(b.op, kind)(h, w))

    chosen = b.op.If(
        b.op.ReduceSum(x, keepdims=0) > 0,
        then_branch=b.subgraph(lambda: layer(x)),
        else_branch=b.subgraph(lambda: x),
    )
    b.output(layer(layer(chosen)), "y")
    return og.vjp(b.build(), "y", ["x"])


def ways(graph: onnx.GraphProto, views: dict[str, str], found: Any) -> None:
    """Collect how each initializer is multiplied: straight, or through nodes that move it."""
    for node in graph.node:
        if node.op_type in ("Transpose", "Reshape"):
            views[node.output[0]] = node.input[0]
        for name in node.input[:2] if node.op_type in ("Conv", "Gemm", "MatMul") else ():
            path = []
            while name in views:
                path.append(views[name])
                name = views[name]
            turned = [str(a) for a in node.attribute if a.name in ("transA", "transB")]
            found[name].add((node.op_type, len(path), *turned))
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                ways(attribute.g, views, found)
        if node.op_type == "ConvTranspose":
            found[node.input[1]].add(node.op_type)


@pytest.mark.parametrize("kind", ["Gemm", "MatMul", "Conv"])
def test_each_constant_is_multiplied_in_one_way(kind: str, tmp_path: Path) -> None:
    graph, listed = gradient(kind), dict[str, int]()
    for runtime in ("openvino", "tract"):
        path = tmp_path / f"{runtime}.onnx"
        og.save(graph, path, runtime=runtime)
        found: dict[str, set[Any]] = defaultdict(set)
        model = onnx.load(path)
        ways(model.graph, {}, found)
        listed[runtime] = max(map(len, found.values()))
    assert listed["openvino"] == 1
    assert listed["tract"] > 1  # or there was nothing to keep apart
    feeds = {
        v.name: W[k : k + 2].reshape([int(d) for d in v.shape or ()])
        for k, v in enumerate(graph.inputs)
    }
    expected = og.compile(graph).run(feeds)
    found_there = onnxruntime.InferenceSession(tmp_path / "openvino.onnx").run(None, feeds)
    for actual, wanted in zip(found_there, expected.values(), strict=True):
        np.testing.assert_allclose(np.asarray(actual), wanted, rtol=1e-5, atol=1e-6)


def test_a_trained_weight_is_no_constant() -> None:
    b = og.Builder("square")
    h = b.op.Tanh(b.input("x", "float32", (2, 4)) @ b.parameter("w", W)) @ b.parameter("v", W + 1)
    b.output(b.op.ReduceSum(h * h, keepdims=0), "loss")
    step = og.train_step(b.build(), "loss", og.optim.SGD(0.1))
    before = len(step.values())
    assert not keep_weights_apart(step) and len(step.values()) == before


@pytest.mark.parametrize("twice", [False, True], ids=["long", "shared"])
def test_what_is_computed_from_constants_is_looked_at_once(twice: bool) -> None:
    b = og.Builder("chain")
    x, w = b.input("x", "float32", (2, 4)), b.parameter("w", W)
    v = w
    for _ in range(60 if twice else 1500):  # a walk along every path would not end, or too deep
        v = b.op.Mul(v, v) if twice else b.op.Neg(v)
    b.output(x @ v, "y")
    b.output(x @ b.op.Transpose(v, perm=[1, 0]), "z")
    graph = b.build()
    count = len(graph.nodes())
    assert keep_weights_apart(graph)
    assert len(graph.nodes()) == 2 * count - 2
    assert len(graph.parameters) == 1 and len(graph.values()) == 2 * count + 1


@pytest.mark.parametrize("order", [("Gemm", "MatMul"), ("MatMul", "Gemm")])
def test_a_product_of_two_constants_may_get_copies(order: tuple[str, str]) -> None:
    """As where a loss is a plain sum: its cotangent is a constant, too."""
    b = og.Builder("products")
    x, w = b.input("x", "float32", (2, 4)), b.parameter("w", W)
    for k, kind in enumerate(order):
        attributes = {"transB": 1} if kind == "Gemm" else {}
        b.output(x + getattr(b.op, kind)(W[:2], w, **attributes), f"y{k}")
    graph, array = b.build(), np.ones((2, 4), np.float32)
    expected = og.compile(graph)(x=array)
    assert keep_weights_apart(graph)
    for name, found in og.compile(graph)(x=array).items():
        np.testing.assert_array_equal(found, expected[name])
