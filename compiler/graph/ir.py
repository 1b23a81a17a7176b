"""The graph: nodes between values; it knows no operator's meaning."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from ..errors import GraphError
from .collection import without_collection
from .edges import Edges
from .ends import Ends
from .names import Names, suggestion
from .places import Places
from .value import Value as Value

Attribute = Any
"""int, float, str, numpy array, Graph, Type, or a list of one of them."""


_WIDE = 16
"""Nodes of fewer inputs are searched from end to end."""


@dataclass(eq=False, slots=True)
class Node:
    """One operator's call. Omitted optional inputs and outputs are None.

    `module` is the path of the layer that it is part of, "blocks.0.q_proj", where a file tells.
    `position` orders nodes that do not depend on each other; a node that replaces another takes
    over its position. `derivative` says in a graph that is written what a file has no operator for:
    that an Identity lets no gradient pass, or that what it passes on has a gradient of its own.
    """

    op_type: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value | None, ...]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    domain: str = ""
    name: str = ""
    position: int = -1
    module: str = ""
    derivative: str = ""
    _places: Places | None = field(default=None, init=False, repr=False)

    @property
    def operator(self) -> str:
        """The operator's full name: "Conv", "onnxgrad.ConvInputGrad"."""
        return f"{self.domain}.{self.op_type}" if self.domain else self.op_type

    @property
    def title(self) -> str:
        """The node's name, or that of its first output where it has none."""
        return self.name or next((v.name for v in self.writes()), "")

    @property
    def label(self) -> str:
        """The node as messages name it: "Conv 'layer1/conv'"."""
        return f"{self.operator} '{self.title}'"

    def required(self, count: int) -> list[Value]:
        """Give the first inputs, as many as the operator cannot do without."""
        found = [v for v in self.inputs[:count] if v is not None]
        if len(found) < count:
            raise GraphError(f"{self.label} lacks one of its first {count} inputs")
        return found

    def given(self, first: int = 0) -> list[Value]:
        """Give the inputs from one on, of an operator that cannot do without any of them."""
        found = [v for v in self.inputs[first:] if v is not None]
        if len(found) < len(self.inputs) - first:
            raise GraphError(f"{self.label} omits one of its inputs from {first} on, and needs all")
        return found

    def input(self, index: int) -> Value | None:
        """Give an input that may be omitted."""
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def first_input(self) -> Value:
        """The first input, of an operator that has one."""
        return self.required(1)[0]

    def output(self, index: int = 0) -> Value:
        """Give an output that is not omitted."""
        value = self.outputs[index] if index < len(self.outputs) else None
        if value is None:
            raise GraphError(f"{self.label} has no output {index}")
        return value

    @property
    def subgraphs(self) -> list["Graph"]:
        """The graphs among the attributes (branches and bodies)."""
        if not self.attributes:
            return []
        return [a for a in self.attributes.values() if isinstance(a, Graph)]

    def replace_input(self, old: Value, new: Value) -> None:
        """Read one value in place of another, wherever it is read."""
        if len(self.inputs) < _WIDE:
            self.inputs = tuple(new if v is old else v for v in self.inputs)
            return
        if self._places is None or not self._places.are_of(self.inputs):
            self._places = Places(self.inputs)
        self.inputs = self._places.replace(old, new)

    def reads(self) -> Iterator[Value]:
        """Yield every value this node depends on: its inputs and what its subgraphs capture."""
        for value in self.inputs:
            if value is not None:
                yield value
        for graph in self.subgraphs:
            yield from graph.captures()

    def writes(self) -> Iterator[Value]:
        """Yield the outputs that are not omitted."""
        for value in self.outputs:
            if value is not None:
                yield value

    def __repr__(self) -> str:
        inputs = ", ".join("" if v is None else v.name for v in self.inputs)
        outputs = ", ".join("" if v is None else v.name for v in self.outputs)
        return f"Node({outputs} = {self.operator}({inputs}))"


class Graph:
    """A dataflow graph: values and the nodes between them.

    The edges carry reachability only; order, repeats and omissions stand in the nodes' tuples.
    A subgraph (a branch, a body) is a Graph that shares its model's names; the values that it
    reads without owning them are its captures.
    """

    def __init__(self, name: str = "graph", names: Names | None = None) -> None:
        self.name = str(name)  # a file may hold bytes that are not text
        self._inputs: Ends[Value] = Ends()
        self._outputs: Ends[Value] = Ends()
        self.names = Names() if names is None else names
        self.metadata: dict[str, str] = {}
        self.doc = ""
        self._edges: Edges[Value, Node] = Edges()
        self._values: dict[str, Value] = {}

    # Reading

    @property
    def inputs(self) -> Ends[Value]:
        """What is fed, in order: a list."""
        return self._inputs

    @inputs.setter
    def inputs(self, values: Iterable[Value]) -> None:
        self._inputs = Ends(values)

    @property
    def outputs(self) -> Ends[Value]:
        """What is asked for, in order: a list."""
        return self._outputs

    @outputs.setter
    def outputs(self, values: Iterable[Value]) -> None:
        self._outputs = Ends(values)

    @property
    def parameters(self) -> list[Value]:
        """The tensors that the model holds and training may change: initializers, no inputs."""
        held = [v for v in self._values.values() if v.parameter and v.constant is not None]
        return [v for v in held if self.producer(v) is None and v not in self.inputs]

    def nodes(self) -> list[Node]:
        """List the nodes in one stable topological order."""
        return self._edges.order()

    def to_networkx(self) -> nx.DiGraph:
        """Give a frozen networkx.DiGraph for networkx's algorithms: its nodes are Values and Nodes.

        An edge leads from each value to the nodes that read it, also in their subgraphs, and from
        each node to the values that it computes. Later changes of this graph do not show in it.
        """
        return self._edges.to_networkx()

    def values(self) -> list[Value]:
        """List the values that this graph owns: inputs, constants and what its nodes compute."""
        return list(self._values.values())

    def find(self, name: str) -> Value:
        """Give the value of that name; an error lists close names."""
        if not isinstance(name, str):
            raise GraphError(f"a value goes by its name, a text, not by {name!r}")
        if (value := self._values.get(name)) is not None:
            return value
        hint = suggestion(name, self._values)
        inner = " (it stands inside a subgraph)" if name in self.names else ""
        raise GraphError(f"the graph '{self.name}' has no value '{name}'{inner}{hint}")

    def owns(self, value: Value) -> bool:
        """Tell whether this value belongs to this graph, not to an outer or another one."""
        return self._values.get(value.name) is value

    def producer(self, value: Value) -> Node | None:
        """Give the node that computes a value, None for inputs, constants and captures."""
        return self._edges.producer(value)

    def sources(self, node: Node) -> list[Value]:
        """List the values that edges lead from to a node of this graph."""
        return list(self._edges.reads(node))

    def consumers(self, value: Value) -> list[Node]:
        """List the nodes that read a value, also those that capture it in a subgraph."""
        return list(self._edges.readers(value))

    def upstream(self, values: Iterable[Value]) -> set[Value | Node]:
        """Give everything the values depend on, themselves included."""
        return self._edges.upstream(values)

    def downstream(self, values: Iterable[Value]) -> set[Value | Node]:
        """Give everything that depends on the values, themselves included."""
        return self._edges.downstream(values)

    def captures(self) -> list[Value]:
        """List the outer values that this graph reads, each once."""
        found = dict.fromkeys(self._edges.captures())
        for value in self.outputs:
            if not self.owns(value):
                found[value] = None
        return list(found)

    # Writing

    def add_value(self, value: Value) -> Value:
        """Own a value that no node computes: an input or a constant."""
        self._own(value)
        return value

    def add_node(self, node: Node) -> Node:
        """Add a node and own its outputs; where a name is taken nothing is added."""
        self.names.claim_all([value.name for value in node.writes()])
        for value in node.writes():
            self._enter(value, node)
        self._edges.add_node(node, node.reads())
        return node

    def _own(self, value: Value, producer: Node | None = None) -> None:
        self.names.claim(value.name)
        self._enter(value, producer)

    def _enter(self, value: Value, producer: Node | None) -> None:
        self._values[value.name] = value
        self._edges.add_value(value, producer)

    def _disown(self, value: Value) -> None:
        self._edges.remove_value(value)
        del self._values[value.name]
        self.names.release(value.name)

    def add_output(self, node: Node, index: int, value: Value) -> Value:
        """Let a node of this graph compute `value` too, as the output `index` that it omitted."""
        outputs = [*node.outputs, *[None] * (index + 1 - len(node.outputs))]
        assert node in self._edges and outputs[index] is None
        self._own(value, node)
        outputs[index] = value
        node.outputs = tuple(outputs)
        return value

    def omit_output(self, node: Node, index: int) -> None:
        """Let a node compute one value less, which nothing may read."""
        value = node.outputs[index]
        if value is None:
            return
        self._require_unread(value)
        node.outputs = tuple(None if v is value else v for v in node.outputs)
        self._disown(value)

    def replace_uses(self, old: Value, new: Value) -> None:
        """Let everything that reads `old`, outputs and subgraphs included, read `new`."""
        for node in self.consumers(old):
            node.replace_input(old, new)
            if node.subgraphs:
                for subgraph in node.subgraphs:
                    subgraph.replace_uses(old, new)
                self.reconnect(node)
            else:
                self._edges.replace_read(node, old, new)
        if old in self.outputs:
            self.outputs = [new if v is old else v for v in self.outputs]

    def redirect(self, source: Value, target: Value) -> None:
        """Let the node that computes `source` compute `target`; `source` is gone.

        The node that computed `target` before computes it no more (its output is omitted).
        """
        node, former = self.producer(source), self.producer(target)
        assert node is not None
        if former is not None:
            former.outputs = tuple(None if v is target else v for v in former.outputs)
        node.outputs = tuple(target if v is source else v for v in node.outputs)
        self._edges.set_producer(target, node)
        self.replace_uses(source, target)
        self._disown(source)

    def remove(self, item: Value | Node) -> None:
        """Remove a node with its outputs, or a value without a node; nothing may read them."""
        if isinstance(item, Value) and self.producer(item) is not None:
            raise GraphError(f"a node computes '{item.name}'; remove the node, or omit its output")
        gone = [item] if isinstance(item, Value) else list(item.writes())
        for value in gone:
            self._require_unread(value)
        if isinstance(item, Node):
            self._edges.remove_node(item)
        for value in gone:
            self._disown(value)
            if value in self.inputs:
                self.inputs = [v for v in self.inputs if v is not value]

    def _require_unread(self, value: Value) -> None:
        if self._edges.readers(value) or value in self.outputs:
            raise GraphError(f"'{value.name}' is still in use")

    def reconnect(self, node: Node) -> None:
        """Bring a node's edges up to date after its inputs or subgraphs were changed."""
        self._edges.set_reads(node, node.reads())

    def rename(self, value: Value, name: str) -> None:
        """Give an owned value another name."""
        if not self.owns(value):
            raise GraphError(f"the graph '{self.name}' does not own '{value.name}'")
        self.names.claim(name)
        self.names.release(value.name)
        del self._values[value.name]
        value.name = name
        self._values[name] = value

    # Copying

    @without_collection()
    def copy(
        self,
        mapping: dict[Value, Value] | None = None,
        names: Names | None = None,
        renamed: bool = False,
    ) -> "Graph":
        """Copy the graph, its subgraphs too; `mapping` (old → new) gains every value copied.

        Arrays of constants are shared. A capture that is not in `mapping` stays what it is.
        With `renamed`, a subgraph's copy takes fresh names, so that both may stand in one model.
        """
        mapping = {} if mapping is None else mapping
        other = Graph(self.name, self.names.copy() if names is None else names)
        other.metadata, other.doc = dict(self.metadata), self.doc
        for value in self._values.values():
            copied = Value(value.name, value.type, value.constant, value.parameter, value.elements)
            if renamed:
                copied.name = other.names.fresh(value.name)
                other.names.claim(copied.name)
            mapping[value] = copied
            other._values[copied.name] = copied
            other._edges.add_value(copied)
        nodes = [copy_node(n, mapping, other.names, renamed) for n in self.nodes()]
        for node in nodes:
            for value in node.writes():
                other._edges.set_producer(value, node)
            other._edges.add_node(node, node.reads())
        other._edges.keep_order_of(self._edges, nodes)
        other.inputs = [mapping[v] for v in self.inputs]
        other.outputs = [mapping.get(v, v) for v in self.outputs]
        return other

    def __repr__(self) -> str:
        return (
            f"Graph({self.name!r}: {len(self._edges)} nodes, "
            f"inputs {[v.name for v in self.inputs]}, outputs {[v.name for v in self.outputs]})"
        )


def copy_node(node: Node, mapping: dict[Value, Value], names: Names, renamed: bool = False) -> Node:
    """Copy a node under a mapping of values, its subgraphs copied with it, see Graph.copy."""
    attributes = {
        key: attribute.copy(mapping, names, renamed) if isinstance(attribute, Graph) else attribute
        for key, attribute in node.attributes.items()
    }
    return Node(
        node.op_type,
        tuple(None if v is None else mapping.get(v, v) for v in node.inputs),
        tuple(None if v is None else mapping.get(v, v) for v in node.outputs),
        attributes,
        node.domain,
        node.name,
        node.position,
        node.module,
        node.derivative,
    )
