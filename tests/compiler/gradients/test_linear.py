"""How the gradients of products are spelled: what decides whether they are fast."""

from collections import Counter

import pytest

import onnxgrad as og


@pytest.mark.parametrize("rows", [(5, 7), ("N", "T")], ids=["static", "symbolic"])
def test_the_gradient_of_a_weight_is_one_product_over_all_rows(rows: tuple[int | str, ...]) -> None:
    b = og.Builder("dense")
    x, w = b.input("x", "float32", (*rows, 3)), b.input("w", "float32", (3, 4))
    b.output(x @ w, "y")
    graph = og.vjp(b.build(), "y", "w")
    assert Counter(n.op_type for n in graph.nodes()) == {"MatMul": 1, "Flatten": 2, "Gemm": 1}


def test_the_gradients_of_a_product_of_matrices_are_two_products() -> None:
    b = og.Builder("dense")
    x, w = b.input("x", "float32", ("N", 3)), b.input("w", "float32", (3, 4))
    b.output(x @ w, "y")
    graph = og.vjp(b.build(), "y", ["x", "w"])
    assert Counter(n.op_type for n in graph.nodes()) == {"MatMul": 1, "Gemm": 2}


def test_the_gradient_of_a_bias_is_one_sum() -> None:
    b = og.Builder("bias")
    x, bias = b.input("x", "float32", ("N", "T", 4)), b.input("bias", "float32", (4,))
    b.output(x + bias, "y")
    graph = og.vjp(b.build(), "y", ["x", "bias"])
    assert Counter(n.op_type for n in graph.nodes()) == {"Add": 1, "Identity": 1, "ReduceSum": 1}
