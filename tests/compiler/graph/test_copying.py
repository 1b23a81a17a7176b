"""Copies of graphs: the same, and apart."""

import numpy as np
from hand_made_graphs import add, branched, by_type, kinds, names

from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import TensorType
from onnxgrad.compiler.standard.verifier import verify


def test_a_copy_is_the_same_and_apart() -> None:
    graph = branched()
    graph.metadata["author"], graph.doc = "me", "text"
    graph.find("w").elements = None
    mapping: dict[Value, Value] = {}
    other = graph.copy(mapping)
    verify(other)
    assert repr(other) == repr(graph) and other.doc == "text"
    assert list(map(repr, other.nodes())) == list(map(repr, graph.nodes()))
    assert not set(other.values()) & set(graph.values())
    assert mapping[graph.find("a")] is other.find("a") and len(mapping) == 11
    w, copied = graph.find("w"), other.find("w")
    assert copied.constant is w.constant and copied.parameter and copied.type == w.type
    before = kinds(graph), names(graph.values())
    other.metadata["author"] = "you"
    by_type(other, "Split").attributes["num_outputs"] = 1
    by_type(other, "If").subgraphs[0].outputs = [other.find("x")]
    other.rename(other.find("a"), "total")
    other.outputs = []
    other.remove(by_type(other, "If"))
    add(other, "Exp", "x", "e")
    assert kinds(other)[-1] == "Exp"
    assert (kinds(graph), names(graph.values())) == before and graph.metadata == {"author": "me"}
    assert by_type(graph, "Split").attributes == {"num_outputs": 2}
    verify(graph)


def test_elements_are_copied() -> None:
    graph = Graph("sizes")
    size = Value("size", TensorType(np.dtype("int64"), (1,)), elements=("N",))
    graph.inputs = [graph.add_value(size)]
    assert graph.copy().find("size").elements == ("N",)


def test_what_a_copied_subgraph_captures_is_mapped_where_it_was_copied() -> None:
    graph = branched()
    other = graph.copy()
    then = by_type(other, "If").subgraphs[0]
    assert then.captures() == [other.find("a")] and then.names is other.names
    alone = by_type(graph, "If").subgraphs[0].copy()
    assert alone.captures() == [graph.find("a")]
    mapped = by_type(graph, "If").subgraphs[0].copy({graph.find("a"): graph.find("w")})
    assert mapped.captures() == [graph.find("w")]


def test_a_renamed_copy_stands_beside_its_original() -> None:
    graph = branched()
    node = by_type(graph, "If")
    node.attributes["then_branch"] = node.subgraphs[1].copy(names=graph.names, renamed=True)
    graph.reconnect(node)
    verify(graph)
    then, otherwise = node.subgraphs
    assert kinds(then) == kinds(otherwise) == ["If"]
    assert [v.name for v in then.values()] == ["else_y_1"]
    assert [v.name for v in by_type(then, "If").subgraphs[0].values()] == ["inner_y_1"]
