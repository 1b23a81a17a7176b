"""An If whose condition is known becomes the nodes of the branch that it takes."""

from typing import Any

import numpy as np
import onnx
import pytest

import onnxgrad as og
from onnxgrad.compiler.passes.known_branches import take_known_branches
from onnxgrad.compiler.standard.verifier import verify

X = np.arange(6, dtype=np.float32).reshape(2, 3)
COUNTER = ("int64", ()), ("bool", ())


def operators(graph: og.Graph) -> list[str]:
    found = []
    for node in graph.nodes():
        found.append(node.op_type)
        for subgraph in node.subgraphs:
            found += operators(subgraph)
    return found


def branching(condition: bool | None) -> og.Graph:
    """Give outputs that a branch computes, gives twice, holds, and passes on from outside."""
    b = og.Builder()
    x, w = b.input("x", "float32", ("N", 3)), b.parameter("w", np.full(3, 2, np.float32))
    c = b.input("c", "bool", ()) if condition is None else b.constant(np.array(condition))
    square = x * x

    def then() -> Any:
        y = b.op.Sin(square) * w
        return y, y, b.constant(np.ones(2, np.float32)), square

    def other() -> Any:
        def step(i: og.Tensor, keep: og.Tensor, s: og.Tensor) -> Any:
            return keep, s * w + square

        y = b.op.Loop(2, None, x, body=b.subgraph(step, *COUNTER, x))
        return y, x, b.constant(np.zeros(2, np.float32)), b.op.Cos(y)

    branches = {"then_branch": b.subgraph(then), "else_branch": b.subgraph(other)}
    for k, y in enumerate(b.op.If(c, **branches)):
        b.output(y, f"y{k}")
    return b.build()


def run(graph: og.Graph, condition: bool, given: bool, backend: str) -> Any:
    seeds: dict[str, np.ndarray] = {}
    seeds |= {f"y{k}.grad": np.full((2, 3), k + 1, np.float32) for k in (0, 1, 3)}
    seeds["y2.grad"] = np.ones(2, np.float32)
    feeds = {"x": X, **({"c": np.array(condition)} if given else {})}
    feeds |= {v.name: seeds[v.name] for v in graph.inputs if v.name in seeds}
    return og.compile(graph, backend).run(feeds)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("differentiated", [False, True])
@pytest.mark.parametrize("condition", [True, False])
def test_the_branch_taken_stays(condition: bool, differentiated: bool, backend: str) -> None:
    known, open_ = branching(condition), branching(None)
    names = [v.name for v in known.outputs]
    assert take_known_branches(known) and not take_known_branches(known)
    verify(known)
    assert [v.name for v in known.outputs] == names
    assert "If" not in operators(known) and ("Loop" in operators(known)) != condition
    onnx.checker.check_model(og.to_onnx(known), full_check=True)
    if differentiated:
        of = ["y0", "y1", "y3"]
        known, open_ = (og.vjp(graph, of, ["x", "w"]) for graph in (known, open_))
    expected = run(open_, condition, True, backend)
    for name, array in run(known, condition, False, backend).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-6)


def test_a_branch_inside_a_loop_reads_around_it() -> None:
    b = og.Builder()
    x, c = b.input("x", "float32", (2, 3)), b.input("c", "bool", ())

    def step(i: og.Tensor, keep: og.Tensor, s: og.Tensor) -> Any:
        def inner() -> Any:
            double = s + s
            return b.op.If(
                c, then_branch=b.subgraph(lambda: double), else_branch=b.subgraph(lambda: x)
            )

        true = b.constant(np.array(True))
        branches = {"then_branch": b.subgraph(inner), "else_branch": b.subgraph(lambda: x)}
        return keep, b.op.If(true, **branches)

    b.output(b.op.Loop(3, None, x, body=b.subgraph(step, *COUNTER, x)), "y")
    graph = b.build()
    reduced = og.optimize(graph)
    assert operators(graph).count("If") == 2 and operators(reduced).count("If") == 1
    for condition, expected in ((True, 8 * X), (False, X)):
        for backend in ("numpy", "onnxruntime"):
            y = og.compile(reduced, backend).run({"x": X, "c": np.array(condition)})["y"]
            np.testing.assert_array_equal(y, expected)


def test_a_condition_that_is_fed_stays() -> None:
    assert not take_known_branches(branching(None))
