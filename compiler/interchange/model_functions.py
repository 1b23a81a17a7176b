"""Write composites and function operators as functions of the model; it expands none in place."""

from collections.abc import Callable
from typing import Any

import onnx
from onnx import FunctionProto, NodeProto

from ..composites.copied_bodies import body_key
from ..graph.ir import Graph, Node, Value
from ..opset import COMPOSITE_DOMAIN
from ..standard.protos import call_proto, call_protos
from ..standard.schemas import DOMAIN_VERSIONS
from .lowering import Expand

Finish = Callable[[Graph], None]
"""Brings a body to the opset that is written."""


CONSTANTS_SINCE = 9
"""The first opset in which Constant, all that a function can hold, gives integers."""


class FunctionLibrary:
    """The functions of one model: one for each distinct operator, attributes and types.

    A body may depend on what is known of its inputs, so functions are told apart by that, too.
    """

    def __init__(self, expand: Expand, finish: Finish, opset: int) -> None:
        self.protos: list[FunctionProto] = []
        self._expand = expand
        self._finish = finish
        self._opset = opset
        self._names: dict[Any, str] = {}
        self._taken: dict[str, int] = {}

    def call(self, graph: Graph, node: Node) -> None:
        """Turn a node into the call of its function; one that no function can hold is expanded."""
        if self._opset < CONSTANTS_SINCE or any(s.captures() for s in node.subgraphs):
            self._expand(graph, node)
            return
        key = body_key(node)
        if key not in self._names:
            count = self._taken[node.op_type] = self._taken.get(node.op_type, 0) + 1
            name = node.op_type if count == 1 else f"{node.op_type}_{count}"
            self.protos.append(self._function(node, name))
            self._names[key] = name
        node.op_type, node.domain, node.attributes = self._names[key], COMPOSITE_DOMAIN, {}
        node.inputs = tuple(dict.fromkeys(v for v in node.inputs if v is not None))
        node.outputs = tuple(v for v in node.outputs if v is not None)

    def _function(self, node: Node, name: str) -> FunctionProto:
        body = graph_of(node)
        self._expand(body, body.nodes()[0])
        self._finish(body)
        domains = {n.domain for n in body.nodes()} | {""}
        proto = FunctionProto(name=name, domain=COMPOSITE_DOMAIN)
        proto.opset_import.extend(
            onnx.helper.make_opsetid(d, DOMAIN_VERSIONS.get(d, 1) if d else self._opset)
            for d in sorted(domains)
        )
        proto.input.extend(v.name for v in body.inputs)
        proto.output.extend(v.name for v in body.outputs)
        proto.node.extend(_constants(body))
        proto.node.extend(call_protos(body.nodes()))
        return proto


def graph_of(node: Node) -> Graph:
    """Make a graph that holds a copy of the node alone; a value it reads twice is one input."""
    graph = Graph(node.op_type)
    mapping: dict[Value, Value] = {}
    for value in dict.fromkeys(v for v in node.inputs if v is not None):
        name = graph.names.fresh(f"x{len(graph.inputs)}")
        copied = Value(name, value.type, value.constant, value.parameter, value.elements)
        mapping[value] = graph.add_value(copied)
    graph.inputs = list(mapping.values())
    outputs = [None if v is None else Value(f"y{k}", v.type) for k, v in enumerate(node.outputs)]
    attributes = {
        k: a.copy(None, graph.names, renamed=True) if isinstance(a, Graph) else a
        for k, a in node.attributes.items()
    }
    inputs = tuple(None if v is None else mapping[v] for v in node.inputs)
    copy = Node(node.op_type, inputs, tuple(outputs), attributes, node.domain, node.op_type)
    graph.add_node(copy)
    graph.outputs = [v for v in outputs if v is not None]
    return graph


def _constants(graph: Graph) -> list[NodeProto]:
    """Write the constants of a body as nodes: functions have no initializers."""
    found = []
    for value in graph.values():
        inside = graph.producer(value) is None and value not in graph.inputs
        if inside and value.constant is not None:
            node = Node("Constant", (), (value,), {"value": value.constant})
            found.append(call_proto(node))
    return found
