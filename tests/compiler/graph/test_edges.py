"""What networkx is given of a graph, and the order of nodes that it agrees with."""

import networkx as nx
import numpy as np
import pytest

import onnxgrad as og


def diamond() -> og.Graph:
    b = og.Builder("diamond")
    x = b.input("x", "float32", (3,))
    w = b.parameter("w", np.ones(3, np.float32))
    left = b.op.Mul(x, w, name="left")
    b.output(b.op.Add(left, b.op.Mul(x, x, name="right"), name="sum"), "y")
    return b.build()


def test_networkx_gets_every_edge_once_and_may_change_none() -> None:
    graph = diamond()
    dag = graph.to_networkx()
    left, right, total = graph.nodes()
    x, w, y = (graph.find(name) for name in ("x", "w", "y"))
    assert set(dag.successors(x)) == {left, right} and set(dag.predecessors(left)) == {x, w}
    assert list(dag.successors(total)) == [y]
    assert nx.is_directed_acyclic_graph(dag) and nx.shortest_path_length(dag, x, y) == 4
    assert len(dag) == len(graph.nodes()) + len(graph.values())
    with pytest.raises(nx.NetworkXError, match="[Ff]rozen"):
        dag.remove_node(x)
    graph.outputs = [x]
    graph.remove(total)
    assert total in dag and total not in graph.to_networkx()


def test_networkx_sees_what_a_subgraph_captures() -> None:
    b = og.Builder("branches")
    x, w = b.input("x", "float32", (3,)), b.input("w", "float32", (3,))
    y = b.op.If(
        b.op.ReduceMax(x, keepdims=0) > 0,
        then_branch=b.subgraph(lambda: x * w),
        else_branch=b.subgraph(lambda: -w),
    )
    b.output(y, "y")
    graph = b.build()
    (branch,) = (n for n in graph.nodes() if n.op_type == "If")
    captured = {graph.find("x"), graph.find("w")}
    assert captured < set(graph.to_networkx().predecessors(branch))


def test_order_is_the_same_however_a_graph_was_come_by() -> None:
    graph = diamond()
    names = [n.name for n in graph.nodes()]
    assert names == [n.name for n in graph.copy().nodes()]
    sorted_by_networkx = nx.lexicographical_topological_sort(
        graph.to_networkx(), key=lambda item: getattr(item, "position", -1)
    )
    assert graph.nodes() == [item for item in sorted_by_networkx if isinstance(item, og.Node)]
