"""Walks over a graph with its branches, nested, and steps that change them."""

import numpy as np

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.subgraphs import (
    all_graphs,
    all_nodes,
    nodes_within,
    run_on_subgraphs,
    run_within,
)


def nested() -> Graph:
    """Neg, then If(If(Sin, Cos), Abs)"""
    b = og.Builder("outer")
    op, x, flag = b.op, b.input("x", "float32", (3,)), b.input("flag", "bool", ())
    y = op.Neg(x)
    inner, other = b.subgraph(lambda: op.Sin(y)), b.subgraph(lambda: op.Cos(y))
    deep = b.subgraph(lambda: op.If(flag, then_branch=inner, else_branch=other))
    flat = b.subgraph(lambda: op.Abs(y))
    b.output(op.If(flag, then_branch=deep, else_branch=flat), "y")
    return b.build()


def kinds(graph: Graph) -> list[str]:
    return [n.op_type for n in all_nodes(graph)]


def test_every_node_is_met_once_and_before_what_it_holds() -> None:
    assert kinds(nested()) == ["Neg", "If", "If", "Sin", "Cos", "Abs"]


def test_a_node_holds_itself_and_the_nodes_of_its_branches() -> None:
    neg, branch = nested().nodes()
    assert list(nodes_within(neg)) == [neg]
    assert [n.op_type for n in nodes_within(branch)] == ["If", "If", "Sin", "Cos", "Abs"]


def test_every_graph_is_met_once() -> None:
    graph = nested()
    assert [len(g.nodes()) for g in all_graphs(graph)] == [2, 1, 1, 1, 1]
    assert next(all_graphs(graph)) is graph


def test_edges_follow_what_a_step_changes() -> None:
    graph = nested()
    x, (neg, branch) = graph.inputs[0], graph.nodes()

    def read_x(part: Graph) -> bool:
        run_on_subgraphs(read_x, part)
        part.replace_uses(neg.output(), x)
        return True

    assert branch in graph.consumers(neg.output())
    assert run_on_subgraphs(read_x, graph)
    assert not graph.consumers(neg.output())
    assert graph.consumers(x) == [neg, branch]
    got = og.compile(graph, backend="numpy").run({"x": np.ones(3, np.float32), "flag": True})
    np.testing.assert_allclose(got["y"], np.sin(1.0) * np.ones(3), rtol=1e-6)


def test_a_step_tells_whether_it_changed_anything() -> None:
    graph = nested()
    neg, branch = graph.nodes()
    assert not run_on_subgraphs(lambda part: False, graph)
    assert not run_within(lambda part: None, graph, neg)  # it has no subgraphs
    assert run_within(lambda part: None, graph, branch)
    assert run_within(lambda part: "Abs" in kinds(part), graph, branch)
