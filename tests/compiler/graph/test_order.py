"""The order of a graph's nodes: that of adding, as far as nothing that is read decides."""

import numpy as np
import pytest
from hand_made_graphs import add, by_type, chain, kinds, value

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph, Node
from onnxgrad.compiler.standard.verifier import verify


def test_nodes_stand_as_they_were_added_where_nothing_else_orders_them() -> None:
    graph = chain()
    for name in ("Exp", "Cos", "Abs"):
        add(graph, name, "x", name)
    assert kinds(graph) == ["Add", "Split", "Neg", "Exp", "Cos", "Abs"]
    graph.nodes().clear()
    assert len(graph.nodes()) == 6


def test_a_node_can_take_the_place_of_another() -> None:
    graph = chain()
    add(graph, "Exp", "x", "e")
    place = by_type(graph, "Neg").position
    graph.add_node(Node("Cos", (graph.find("x"),), (value("cos"),), position=place))
    assert kinds(graph) == ["Add", "Split", "Neg", "Cos", "Exp"]
    graph.add_node(Node("Sin", (graph.find("x"),), (value("sin"),), position=-1))
    assert kinds(graph)[-1] == "Sin"
    graph.add_node(Node("Tan", (graph.find("x"),), (value("tan"),), position=100))
    add(graph, "Abs", "x", "abs")
    assert kinds(graph)[-2:] == ["Tan", "Abs"]


def test_positions_order_nodes_however_they_were_added() -> None:
    graph = Graph("backwards")
    x = graph.add_value(value("x"))
    for position in (3, 1, 2, 0):
        graph.add_node(Node("Neg", (x,), (value(f"y{position}"),), position=position))
    assert [n.title for n in graph.nodes()] == ["y0", "y1", "y2", "y3"]
    assert [n.title for n in graph.copy().nodes()] == ["y0", "y1", "y2", "y3"]


def test_the_order_follows_what_is_read_and_computed_anew() -> None:
    graph = chain()
    add(graph, "Exp", "x", "late")
    assert kinds(graph) == ["Add", "Split", "Neg", "Exp"]
    graph.replace_uses(graph.find("a"), graph.find("late"))
    assert kinds(graph) == ["Add", "Exp", "Split", "Neg"]
    add(graph, "Cos", "x", "later")
    graph.redirect(graph.find("later"), graph.find("b"))
    assert kinds(graph) == ["Add", "Exp", "Split", "Cos", "Neg"]
    verify(graph)


def test_the_order_follows_a_reader_that_was_there_first() -> None:
    """A node may be added before what it reads."""
    graph = chain()
    early = value("early")
    graph.add_node(Node("Neg", (early,), (value("e"),)))
    assert graph.captures() == [early]
    graph.add_node(Node("Exp", (graph.find("x"),), (early,)))
    assert graph.captures() == [] and kinds(graph)[-2:] == ["Exp", "Neg"]
    verify(graph)


def test_a_node_waits_for_all_that_it_reads() -> None:
    """It stands first among those that are ready, but not before they are."""
    graph = chain()
    read = graph.find("c"), graph.find("x")
    graph.add_node(Node("Mul", read, (value("product"),), position=0))
    assert kinds(graph) == ["Add", "Split", "Mul", "Neg"]


def test_a_cycle_is_named() -> None:
    graph = chain()
    node = by_type(graph, "Add")
    node.inputs = (graph.find("b"), graph.find("w"))
    graph.reconnect(node)
    with pytest.raises(og.GraphError, match="a cycle through ('a' → 'b'|'b' → 'a')$"):
        graph.nodes()


@pytest.mark.parametrize("seed", range(8))
def test_a_change_leaves_the_order_of_the_rest(seed: int) -> None:
    """Nodes come and go; the others keep their order, and that of a copy is the same."""
    random = np.random.default_rng(seed)
    graph = Graph("random")
    graph.inputs = [graph.add_value(value("x0"))]
    for step in range(40):
        before = graph.nodes()
        loose = [n for n in before if not any(graph.consumers(v) for v in n.writes())]
        if loose and random.random() < 0.3:
            gone = loose[random.integers(len(loose))]
            graph.remove(gone)
            before.remove(gone)
            after = graph.nodes()
        else:
            owned = graph.values()
            read = [owned[k] for k in random.integers(len(owned), size=2)]
            new = graph.add_node(Node("Add", tuple(read), (value(f"x{step + 1}"),)))
            after = graph.nodes()
            assert after[-1] is new
            after.remove(new)
        assert after == before
        verify(graph)
    assert list(map(repr, graph.copy().nodes())) == list(map(repr, graph.nodes()))
