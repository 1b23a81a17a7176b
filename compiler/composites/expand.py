"""Replace a node by its body: a composite by one of its forms, a function by ONNX's own."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from ..emission.ops import Ops
from ..errors import GraphError
from ..graph.ir import Graph, Node, Value
from ..graph.types import TensorType
from ..inference.shapes import refine
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
    prefix = f"{node.name or next(node.writes()).name}/"
    op = Ops(graph, node.position, prefix)
    if node.domain == COMPOSITE_DOMAIN:
        results = find_body(node.op_type, form)(op, node)
    elif node.operator in STANDARD_BODIES:
        results = STANDARD_BODIES[node.operator](op, node)
    else:
        results = emit_function_body(op, node)
    put_in_place(op, node, (results,) if isinstance(results, Value) else results)
    return op.emitted


def put_in_place(op: Ops, node: Node, results: Sequence[Value | None]) -> None:
    """Let what was emitted compute a node's outputs, which stay what they are; drop the node."""
    graph = op.graph
    if len(results) < len(node.outputs):
        raise GraphError(f"the body of {node.operator} gives {len(results)} outputs")
    pairs = [(a, b) for a, b in zip(node.outputs, results, strict=False) if a is not None]
    for k, (old, new) in enumerate(pairs):
        if new is None:
            raise GraphError(f"the body of {node.operator} does not give '{old.name}'")
        if not new.name.startswith(op.prefix) or any(new is other for _, other in pairs[:k]):
            new = op.Identity(new)  # it has a name of its own, and the output needs its name
            pairs[k] = (old, new)
    for old, new in pairs:
        assert new is not None
        if isinstance(old.type, TensorType) and isinstance(new.type, TensorType):
            old.type = TensorType(old.dtype, refine(old.shape, new.shape))
            old.elements, old.constant = new.elements, new.constant
        graph.redirect(new, old)
    graph.remove(node)


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
            for subgraph in node.subgraphs:
                expand_composites(subgraph, forms, native)
                graph.reconnect(node)
