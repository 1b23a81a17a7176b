"""What is added, taken away and changed in a graph, and what it refuses.

The verifier, which has tests of its own, says after each change whether the graph is well formed.
"""

import numpy as np
import pytest
from hand_made_graphs import FLOAT, add, branched, by_type, chain, kinds, names, value

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.standard.verifier import verify

# Adding


@pytest.mark.parametrize("outputs", ["x", "e x", "e e"])
def test_a_node_whose_names_are_taken_leaves_no_trace(outputs: str) -> None:
    graph = chain()
    before = repr(graph), names(graph.values()), kinds(graph)
    with pytest.raises(og.GraphError, match="the name '[xe]' is used twice"):
        add(graph, "Split", "a", outputs, num_outputs=2)
    assert (repr(graph), names(graph.values()), kinds(graph)) == before
    assert [n.op_type for n in graph.consumers(graph.find("a"))] == ["Split"]
    verify(graph)
    add(graph, "Exp", "a", "e")


@pytest.mark.parametrize("name", ["", None, 3, "x"], ids=repr)
def test_a_value_needs_a_name_of_its_own(name: str) -> None:
    graph = chain()
    with pytest.raises(og.GraphError, match="a name is a text that is not empty|'x' is used twice"):
        graph.add_value(Value(name, FLOAT))
    verify(graph)


def test_names_are_unique_over_all_scopes() -> None:
    with pytest.raises(og.GraphError, match="the name 'inner_y' is used twice"):
        add(branched(), "Exp", "a", "inner_y")


def test_an_output_that_was_omitted_can_be_computed_too() -> None:
    graph = chain()
    node = add(graph, "LayerNormalization", "x w", "n")
    assert graph.add_output(node, 2, value("inverse")) is graph.find("inverse")
    assert repr(node) == "Node(n, , inverse = LayerNormalization(x, w))"
    assert graph.producer(graph.find("inverse")) is node
    graph.add_output(node, 1, value("mean"))
    add(graph, "Neg", "mean", "e")
    assert repr(node) == "Node(n, mean, inverse = LayerNormalization(x, w))"
    with pytest.raises(og.GraphError, match="'x' is used twice"):
        graph.add_output(by_type(graph, "Neg"), 1, value("x"))
    verify(graph)


# Taking away


def test_an_output_that_nothing_reads_can_be_omitted() -> None:
    graph = chain()
    node = by_type(graph, "Split")
    graph.omit_output(node, 1)
    graph.omit_output(node, 1)
    assert repr(node) == "Node(b,  = Split(a))" and "c" not in names(graph.values())
    graph.add_value(Value("c", FLOAT, np.ones(2, np.float32)))
    verify(graph)


@pytest.mark.parametrize(("op_type", "name"), [("Split", "b"), ("Neg", "d"), ("Add", "a")])
def test_what_is_in_use_stays(op_type: str, name: str) -> None:
    """Read by a node, given as an output, read in a subgraph."""
    graph = branched()
    if name == "a":
        graph.outputs = [graph.find("y")]
        for gone in ("Neg", "Split"):
            graph.remove(by_type(graph, gone))
    before = repr(graph), kinds(graph), names(graph.values())
    node = by_type(graph, op_type)
    with pytest.raises(og.GraphError, match=f"'{name}' is still in use"):
        graph.omit_output(node, 0)
    with pytest.raises(og.GraphError, match=f"'{name}' is still in use"):
        graph.remove(node)
    with pytest.raises(og.GraphError, match="'w' is still in use"):
        graph.remove(graph.find("w"))
    assert (repr(graph), kinds(graph), names(graph.values())) == before
    verify(graph)


def test_a_node_goes_with_what_it_computes() -> None:
    graph = chain()
    graph.outputs = []
    graph.remove(by_type(graph, "Neg"))
    graph.remove(by_type(graph, "Split"))
    assert kinds(graph) == ["Add"] and names(graph.values()) == {"x", "w", "a"}
    assert not graph.consumers(graph.find("a"))
    assert set(graph.to_networkx()) == {*graph.nodes(), *graph.values()}
    add(graph, "Exp", "a", "b")  # the name is free again
    verify(graph)


def test_a_value_goes_from_the_inputs_too() -> None:
    graph = chain()
    extra = graph.add_value(value("extra"))
    graph.inputs.append(extra)
    graph.remove(extra)
    assert [v.name for v in graph.inputs] == ["x"] and "extra" not in graph.names
    verify(graph)


def test_a_value_that_a_node_computes_goes_only_with_it() -> None:
    graph = chain()
    with pytest.raises(og.GraphError, match="a node computes 'c'; remove the node, or omit its"):
        graph.remove(graph.find("c"))
    verify(graph)


def test_a_capture_goes_with_its_last_reader() -> None:
    graph = branched()
    body = by_type(graph, "If").subgraphs[0]
    body.outputs = [graph.find("x")]
    body.remove(body.nodes()[0])
    assert [v.name for v in body.captures()] == ["x"]
    graph.reconnect(by_type(graph, "If"))
    verify(graph)


# Changing


def test_everything_that_reads_a_value_reads_another() -> None:
    graph = branched()
    graph.outputs.extend([graph.find("a"), graph.find("a")])
    graph.replace_uses(graph.find("a"), graph.find("w"))
    assert by_type(graph, "Split").inputs == (graph.find("w"),)
    assert [v.name for v in graph.outputs] == ["d", "y", "w", "w"]
    then, otherwise = by_type(graph, "If").subgraphs
    inner, _ = by_type(otherwise, "If").subgraphs
    assert [v.name for v in then.captures()] == ["w"] == [v.name for v in inner.captures()]
    assert names(otherwise.captures()) == {"flag", "w", "x"}
    assert not graph.consumers(graph.find("a"))
    verify(graph)
    graph.remove(by_type(graph, "Add"))
    verify(graph)


def test_an_output_of_a_subgraph_that_is_a_capture_is_replaced() -> None:
    graph = branched()
    graph.replace_uses(graph.find("x"), graph.find("w"))
    plain = by_type(by_type(graph, "If").subgraphs[1], "If").subgraphs[1]
    assert plain.outputs == [graph.find("w")]
    assert by_type(graph, "Add").inputs == (graph.find("w"), graph.find("w"))
    verify(graph)


def test_another_node_computes_a_value() -> None:
    """`redirect` keeps the name that the model knows."""
    graph = branched()
    add(graph, "Exp", "x", "new")
    add(graph, "Abs", "new", "abs")
    graph.redirect(graph.find("new"), graph.find("b"))
    assert repr(by_type(graph, "Exp")) == "Node(b = Exp(x))"
    assert repr(by_type(graph, "Split")) == "Node(, c = Split(a))"
    assert repr(by_type(graph, "Abs")) == "Node(abs = Abs(b))"
    assert "new" not in graph.names and "new" not in names(graph.values())
    verify(graph)


def test_a_value_that_is_redirected_leaves_the_outputs() -> None:
    graph = chain()
    add(graph, "Exp", "x", "new")
    graph.outputs = [graph.find("new"), graph.find("d")]
    graph.redirect(graph.find("new"), graph.find("d"))
    assert [v.name for v in graph.outputs] == ["d", "d"]
    assert by_type(graph, "Neg").outputs == (None,)
    verify(graph)


def test_one_output_of_a_node_becomes_another() -> None:
    graph = chain()
    graph.redirect(graph.find("c"), graph.find("b"))
    assert repr(by_type(graph, "Split")) == "Node(, b = Split(a))"
    verify(graph)


def test_edges_follow_changed_inputs() -> None:
    graph = chain()
    node = by_type(graph, "Neg")
    node.inputs = (graph.find("x"),)
    graph.reconnect(node)
    assert node in graph.consumers(graph.find("x")) and not graph.consumers(graph.find("b"))
    assert [v.name for v in graph.sources(node)] == ["x"]
    verify(graph)


def test_edges_follow_a_changed_subgraph() -> None:
    graph = branched()
    node = by_type(graph, "If")
    then, otherwise = node.subgraphs
    then.add_node(Node("Exp", (graph.find("w"),), (value("late"),)))
    then.outputs = [then.find("late")]
    then.remove(by_type(then, "Neg"))
    node.attributes["else_branch"] = then.copy(names=graph.names, renamed=True)
    graph.reconnect(node)
    assert [v.name for v in graph.sources(node)] == ["flag", "w"]
    assert node not in graph.consumers(graph.find("a"))
    verify(graph)


def test_a_value_is_found_by_its_new_name() -> None:
    graph = branched()
    a = graph.find("a")
    graph.rename(a, "total")
    assert graph.find("total") is a and graph.owns(a) and "a" not in graph.names
    assert repr(by_type(graph, "Split")) == "Node(b, c = Split(total))"
    verify(graph)
    with pytest.raises(og.GraphError, match="the name 'then_y' is used twice"):
        graph.rename(a, "then_y")
    assert graph.find("total") is a
    add(graph, "Exp", "x", "a")
    verify(graph)


def test_only_the_owner_renames() -> None:
    graph = branched()
    with pytest.raises(og.GraphError, match="'then' does not own 'a'"):
        by_type(graph, "If").subgraphs[0].rename(graph.find("a"), "total")
    assert graph.find("a").name == "a" and "total" not in graph.names
    verify(graph)


def test_a_node_of_many_inputs_reads_each_replacement_wherever_it_stood() -> None:
    graph = Graph("wide")
    values = [graph.add_value(value(f"x{k}")) for k in range(30)]
    graph.inputs = values
    inputs = (*values, *values[::-1], *values[:5])
    node = graph.add_node(Node("Concat", inputs, (value("y"),), {"axis": 0}))
    expected = list(inputs)
    for old, new in zip(values[:20], values[5:25], strict=True):
        graph.replace_uses(old, new)
        expected = [new if v is old else v for v in expected]
        assert node.inputs == tuple(expected) and graph.consumers(old) == []
    node.inputs = (values[25], *node.inputs[1:])  # set by someone else in between
    graph.reconnect(node)
    graph.replace_uses(values[25], values[0])
    assert node.inputs == (values[0], *(values[0] if v is values[25] else v for v in expected[1:]))
    verify(graph)
