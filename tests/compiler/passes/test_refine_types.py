"""What a rewrite makes known of sizes is inferred again, and branches that it tells are taken."""

from typing import Any

import numpy as np

import onnxgrad as og
from onnxgrad.compiler.passes.refine_types import settle
from onnxgrad.compiler.standard.verifier import verify


def chunked() -> og.Graph:
    """Squeeze the second of two chunks where it has one row: sizes that a sequence hides."""
    b = og.Builder()
    op = b.op
    x = b.input("x", "float32", (3, 4))
    part = op.SequenceAt(op.SplitToSequence(x, [2, 1]), 1)
    rows = op.Gather(op.Shape(part), 0)

    def step(i: Any, keep: Any, s: Any) -> Any:
        branches = {"then_branch": b.subgraph(lambda: s), "else_branch": b.subgraph(lambda: -s)}
        return keep, op.If(op.Equal(rows, 1), **branches) * 2

    body = b.subgraph(step, ("int64", ()), ("bool", ()), ("float32", (4,)))
    one, two = b.subgraph(lambda: op.Squeeze(part, [0])), b.subgraph(lambda: part)
    y = op.If(op.Equal(rows, 1), then_branch=one, else_branch=two)
    assert y.shape is None
    z = op.MatMul(y, np.ones((4, 2), np.float32))
    b.output(op.ReduceSum(z, keepdims=0), "loss")
    b.output(op.Loop(2, None, op.Gather(x, 0), body=body), "looped")
    return b.build()


def test_branches_that_a_rewrite_tells_are_taken() -> None:
    graph = chunked()
    assert settle(graph) and not settle(graph)
    verify(graph)
    (loop,) = (n for n in graph.nodes() if n.op_type == "Loop")
    every = [*graph.nodes(), *loop.subgraphs[0].nodes()]
    assert not {n.op_type for n in every} & {"If", "SequenceAt"}
    (product,) = (n for n in graph.nodes() if n.op_type == "MatMul")
    assert product.output().shape == (2,)


def test_its_gradient_needs_no_more() -> None:
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    graph = og.compile(og.grad(chunked(), "loss", "x"))
    found = graph.run({"x": x})
    np.testing.assert_array_equal(found["loss"], 2 * x[2].sum())
    np.testing.assert_array_equal(found["looped"], 4 * x[0])
    np.testing.assert_array_equal(found["x.grad"], [[0] * 4, [0] * 4, [2] * 4])
