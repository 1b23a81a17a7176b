"""Replace a node by its body: a composite by one of its forms, a function by ONNX's own."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from typing import Any

from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..errors import locate
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_within
from ..opset import COMPOSITE_DOMAIN
from ..standard.schemas import find_schema
from . import FORMS, STANDARD_BODIES, find_body
from .onnx_bodies import emit_function_body

Forms = Mapping[str, str]
"""Which form of a composite to take: {"ConvWeightGrad": "derived"}."""


def has_body(node: Node) -> bool:
    """Tell whether a node can be expanded."""
    if node.domain == COMPOSITE_DOMAIN:
        return node.op_type in FORMS
    if node.operator in STANDARD_BODIES:
        return True
    schema: Any = find_schema(node.op_type, node.domain)  # onnx types only half of OpSchema
    if schema is None:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)


def expand_node(graph: Graph, node: Node, form: str | None = None) -> list[Node]:
    """Replace a node by its body in the named form (None: the default), in place.

    The output values stay what they are; what is emitted, and returned, takes the
    node's place in the order.
    """
    op = Ops(graph, node.position, f"{node.title}/")
    put_in_place(op, node, emit_body_of(op, node, form))
    return op.emitted


def emit_body_of(op: Ops, node: Node, form: str | None) -> Sequence[Value | None]:
    """Emit the body of a node, as `emit_body` does; errors name the node."""
    try:
        return emit_body(op, node, form)
    except Exception as error:
        locate(error, f"in the body of {node.label}")
        raise


def body_of(node: Node) -> list[Node]:
    """Give the nodes of a node's body, in a graph of their own; the node is left alone."""
    graph = Graph("body")
    mapping = {
        v: graph.add_value(Value(f"x{k}", v.type, v.constant, v.parameter, v.elements))
        for k, v in enumerate(dict.fromkeys(v for v in node.inputs if v is not None))
    }
    inputs = tuple(None if v is None else mapping[v] for v in node.inputs)
    op = Ops(graph)
    emit_body(op, replace(node, inputs=inputs))
    return op.emitted


def emit_body(op: Ops, node: Node, form: str | None = None) -> Sequence[Value | None]:
    """Emit the body of a node, which stays, and give what stands for each of its outputs."""
    found: Value | Sequence[Value | None]
    if node.domain == COMPOSITE_DOMAIN:
        found = find_body(node.op_type, form)(op, node)
    elif node.operator in STANDARD_BODIES:
        found = STANDARD_BODIES[node.operator](op, node)
    else:
        found = emit_function_body(op, node)
    return (found,) if isinstance(found, Value) else found


def expand_composites(graph: Graph, forms: Forms, native: Set[str] = frozenset()) -> None:
    """Expand composites that are not `native`, also those that bodies emit or subgraphs hold."""
    pending = True
    while pending:
        pending = False
        for node in graph.nodes():
            if node.domain == COMPOSITE_DOMAIN and node.op_type not in native:
                expand_node(graph, node, forms.get(node.op_type))
                pending = True
                continue
            run_within(partial(expand_composites, forms=forms, native=native), graph, node)
