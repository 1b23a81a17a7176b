"""A weight less a scaled product becomes one Gemm."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.passes.merge_updates import merge_updates
from onnxgrad.compiler.passes.prepare import prepare_for


def updated(kind: str) -> og.Graph:
    """w − 0.5·(product of a and b), the product written in several ways."""
    b = og.Builder("update")
    w = b.input("w", "float32", (3, 4))
    number = np.float32(0.5)
    if kind == "Gemm":
        product: Any = b.op.Gemm(
            b.input("a", "float32", (2, 3)), b.input("b", "float32", (2, 4)), transA=1
        )
    elif kind == "MatMul":
        product = b.input("a", "float32", (3, 2)) @ b.input("b", "float32", (2, 4))
    else:
        x, y = b.input("a", "float32", (4, 2)), b.input("b", "float32", (3, 2))
        product = b.op.Transpose(b.op.Gemm(x, y, transB=1, alpha=2.0), perm=[1, 0])
    if kind == "read twice":
        b.output(product, "product")
    change = number * product if kind == "Gemm" else product * number
    b.output(w - change, "w.new")
    return b.build()


@pytest.mark.parametrize(
    ("kind", "merged"),
    [("Gemm", True), ("MatMul", True), ("transposed", True), ("read twice", False)],
)
def test_the_product_is_subtracted_where_it_is_computed(kind: str, merged: bool) -> None:
    graph = updated(kind)
    random = np.random.default_rng(0)
    sizes = {v.name: [d for d in v.shape or () if isinstance(d, int)] for v in graph.inputs}
    feeds = {n: random.standard_normal(shape, np.float32) for n, shape in sizes.items()}
    expected = og.compile(graph).run(feeds)["w.new"]
    assert merge_updates(graph) == merged
    smaller = og.optimize(graph)
    assert len(smaller.nodes()) == (1 if merged else 4)
    for backend in ("numpy", "onnxruntime"):
        actual = og.compile(smaller, backend).run(feeds)["w.new"]
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("axes", [[0], [-2], [1], [0, 1]])
@pytest.mark.parametrize("rows", [5, "N"])
def test_a_sum_of_known_many_rows_is_subtracted_as_a_product(axes: list[int], rows: Any) -> None:
    b = og.Builder("bias")
    w, g = b.input("w", "float64", (5,)), b.input("g", "float64", (rows, 5))
    keep = 1 if len(axes) > 1 else 0
    b.output(w - 0.25 * b.op.ReduceSum(g, axes=axes, keepdims=keep), "w.new")
    graph = b.build()
    random = np.random.default_rng(1)
    feeds = {"w": random.standard_normal(5), "g": random.standard_normal((5, 5))}
    expected = feeds["w"] - 0.25 * feeds["g"].sum(tuple(axes))
    assert merge_updates(graph) == (axes in ([0], [-2]) and rows == 5)
    for backend in ("numpy", "onnxruntime"):
        actual = og.compile(graph, backend).run(feeds)["w.new"]
        np.testing.assert_allclose(actual, np.broadcast_to(expected, actual.shape), rtol=1e-12)


def test_plain_gradient_descent_is_merged_once_its_composites_are_expanded() -> None:
    b = og.Builder("net")
    w = b.parameter("w", np.ones((3, 4), np.float32))
    b.output(b.op.ReduceSum(b.input("x", "float32", ("N", 3)) @ w, keepdims=0), "loss")
    step = prepare_for(og.train_step(b.build(), "loss", og.optim.SGD(0.1)), frozenset())
    assert merge_updates(step)
    assert "Gemm" in {n.op_type for n in step.nodes() if step.outputs[-1] in n.outputs}
