"""Split initializers that an exporter merged because they were equal; it changes no number."""

from collections.abc import Iterator
from dataclasses import dataclass

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_graph
from onnxgrad.compiler.graph.ir import Graph, Node, Value

from ..selection import Selection, find_values
from .roles import PARTS, Kind, Roles, held_floats


@dataclass(frozen=True, slots=True)
class Place:
    """One place where a node reads a value, in the graph that owns the node."""

    graph: Graph
    node: Node
    index: int


def untie(graph: Graph, parameters: Selection | None = None) -> Graph:
    """Give each operator that reads a merged initializer one of its own.

    Outputs stay bit for bit; training no longer ties these layers. Where the exporter left an
    Identity that bears the parameter's own name, it takes that name; others are called
    "<name>_1", "<name>_2", … in the order of the operators. The first one keeps the name.

    Args:
        graph: the model.
        parameters: initializers to split, by name or pattern; by default those that are a scale or
            bias of several operators, and weights that are one number throughout, as fresh ones
            are. Equal weights may be tied on purpose, as an embedding and the last layer are.

    Raises:
        GraphError: there is no such initializer.
    """
    copy = require_graph(graph).copy()
    held = held_floats(copy)
    if parameters is None:
        roles = Roles(copy)
        chosen = [v for v in held if is_merged(copy, v) and roles.of(v).kind is Kind.WEIGHT]
    else:
        chosen = find_values(copy, parameters, "parameters", held).values
    for value in chosen:
        if not value.parameter or copy.producer(value) is not None or value.constant is None:
            raise GraphError(f"'{value.name}' is not an initializer, so there is nothing to split")
        _split(copy, value)
    return copy


def is_merged(graph: Graph, value: Value) -> bool:
    """Tell whether a weight is what an exporter merges: equal by its first values, not by use."""
    places = [p for p in _places(graph, value) if p.node.op_type != "Identity"]
    assert value.constant is not None
    if value.constant.size and (value.constant == value.constant.flat[0]).all():
        parts = [p for p in places if p.index in PARTS.get(p.node.op_type, {})]
    else:
        parts = []
    return max(len(parts), len([p for p in places if is_scale_or_bias(p.node, value)])) > 1


def is_scale_or_bias(node: Node, value: Value) -> bool:
    """Tell whether a node scales or shifts features by a value."""
    if node.op_type in ("Add", "Mul"):
        return value.rank == 1
    parts = PARTS.get(node.op_type, {})
    return any(node.input(k) is value for k, part in parts.items() if part in ("scale", "bias"))


def _places(graph: Graph, value: Value) -> Iterator[Place]:
    """Yield the places where a value is read, past an Identity, in subgraphs too; in order."""
    readers = graph.consumers(value)
    if len(readers) > 1:
        chosen = set(readers)
        readers = [n for n in graph.nodes() if n in chosen]
    for node in readers:
        if node.op_type == "Identity" and node.output() not in graph.outputs:
            yield from _places(graph, node.output())
            continue
        for k, given in enumerate(node.inputs):
            if given is value:
                yield Place(graph, node, k)
        for subgraph in node.subgraphs:
            yield from _places(subgraph, value)


def _split(graph: Graph, value: Value) -> None:
    _take_from_identities(graph, value)
    places = list(_places(graph, value))
    for place in places[1:]:
        own = Value(graph.names.fresh(value.name), value.type, value.constant, parameter=True)
        graph.add_value(own)
        graph.names.keep(own.name)
        inputs = list(place.node.inputs)
        inputs[place.index] = own
        place.node.inputs = tuple(inputs)
        place.graph.reconnect(place.node)
    for node in graph.nodes():
        if node.subgraphs:
            graph.reconnect(node)


def _take_from_identities(graph: Graph, value: Value) -> None:
    """Let the outputs of Identity nodes be initializers, which have those names already."""
    for node in graph.consumers(value):
        if node.op_type != "Identity" or node.domain or node.output() in graph.outputs:
            continue
        output = node.output()
        own = Value(graph.names.fresh(output.name), value.type, value.constant, parameter=True)
        graph.add_value(own)
        graph.replace_uses(output, own)
        name = output.name
        graph.remove(node)
        graph.rename(own, name)
