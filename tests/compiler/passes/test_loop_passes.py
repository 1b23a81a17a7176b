"""Passes over loops: sums of products leave them, what nothing reads goes."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.passes.dead_states import remove_dead_states
from onnxgrad.compiler.passes.push_out import push_out

COUNTER = ("int64", ()), ("bool", ())
FEEDS = {"a": np.arange(6.0).reshape(2, 3), "start": np.ones((3, 3)), "n": np.array(3)}


def products(*, transposed: bool = False, reads_the_sum: bool = False) -> og.Graph:
    """Add tᵀ·sin(t) up in a loop over n steps, t growing by 1."""
    b = og.Builder()
    a, start = b.input("a", "float64", (2, 3)), b.input("start", "float64", (3, 3))
    n = b.input("n", "int64", ())

    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor, total: og.Tensor) -> Any:
        product = b.op.Gemm(t, b.op.Sin(t), transA=1)
        if transposed:
            product = b.op.Transpose(product)
        after = total + product
        return keep, t + (total[0, 0] if reads_the_sum else 1.0), after

    body = b.subgraph(step, *COUNTER, a, start)
    t, total = b.op.Loop(n, None, a, start, body=body)
    b.output(t, "t")
    b.output(total, "total")
    return b.build()


def operators(graph: og.Graph) -> list[str]:
    return [n.op_type for n in graph.nodes()]


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_sum_of_products_becomes_one_product(transposed: bool, count: int) -> None:
    graph, feeds = products(transposed=transposed), {**FEEDS, "n": np.array(count)}
    expected = og.compile(graph).run(feeds)
    assert push_out(graph)
    (loop,) = [n for n in graph.nodes() if n.op_type == "Loop"]
    assert operators(loop.attributes["body"]).count("Gemm") == 0
    assert operators(graph).count("Gemm") == 1 and not push_out(graph)
    for backend in ("numpy", "onnxruntime"):
        actual = og.compile(graph, backend).run(feeds)
        for name, array in expected.items():
            np.testing.assert_allclose(actual[name], array, rtol=1e-12, err_msg=backend)


def test_a_sum_that_is_read_inside_stays() -> None:
    assert not push_out(products(reads_the_sum=True))


def test_dead_states_and_outputs_go() -> None:
    b = og.Builder()
    x, n = b.input("x", "float64", (3,)), b.input("n", "int64", ())
    step = b.subgraph(
        lambda i, keep, s, dead, idle: (keep, s * 2, dead + s, idle * dead, s, dead),
        *(*COUNTER, x, x, x),
    )
    last, *_ = b.op.Loop(n, None, x, x, x, body=step)
    b.output(last, "last")
    graph = b.build()
    assert remove_dead_states(graph) and not remove_dead_states(graph)
    (loop,) = graph.nodes()
    assert len(loop.inputs) == 3 and len(loop.outputs) == 1
    assert operators(loop.attributes["body"]) == ["Mul"]
    assert og.compile(graph)(x=np.ones(3), n=np.array(3))["last"].tolist() == [8, 8, 8]


def test_a_state_that_another_one_needs_stays() -> None:
    b = og.Builder()
    x, n = b.input("x", "float64", (3,)), b.input("n", "int64", ())
    step = b.subgraph(lambda i, keep, s, t: (keep, s + t, t * 2), *COUNTER, x, x)
    last, _ = b.op.Loop(n, None, x, x, body=step)
    b.output(last, "last")
    assert not remove_dead_states(b.build())


def test_what_nothing_reads_leaves_both_branches() -> None:
    b = og.Builder("branches")
    x, chosen = b.input("x", "float32", (3,)), b.input("chosen", "bool", ())
    then = b.subgraph(lambda: (b.op.Sin(x), b.op.Exp(x)))
    otherwise = b.subgraph(lambda: (b.op.Cos(x), b.op.Tanh(x)))
    first, _ = b.op.If(chosen, then_branch=then, else_branch=otherwise)
    b.output(first, "y")
    (node,) = og.optimize(b.build()).nodes()
    assert len(node.outputs) == 1
    assert [[n.op_type for n in g.nodes()] for g in node.subgraphs] == [["Sin"], ["Cos"]]
