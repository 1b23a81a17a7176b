"""Bodies that ONNX itself gives to its function operators, emitted at our opset."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import FunctionProto
from onnx.helper import make_opsetid

from ..emission.ops import Ops
from ..errors import UnsupportedOpError
from ..graph.ir import Node, Value, copy_node
from ..graph.types import TensorType, onnx_dtype, to_proto
from ..opset import OPSET
from ..reading.graph_reader import read_graph
from ..reading.node_reader import read_function
from ..reading.reading_context import Context
from ..standard.protos import node_proto
from ..standard.schemas import attribute_defaults, find_schema


def function_body(node: Node) -> FunctionProto:
    """Give the newest body that ONNX's schema has for a node.

    Raises:
        UnsupportedOpError: the schema has no body for these types and attributes.
    """
    schema: Any = find_schema(node.op_type, node.domain)  # onnx types only half of OpSchema
    if schema is None:
        raise UnsupportedOpError(f"ONNX has no operator {node.operator}", [node.operator])
    if schema.has_function:
        return FunctionProto.FromString(
            schema.get_function_with_opset_version(max(schema.function_opset_versions))
        )
    inputs = ["" if v is None else f"i{k}" for k, v in enumerate(node.inputs)]
    outputs = ["" if v is None else f"o{k}" for k, v in enumerate(node.outputs)]
    proto = node_proto(node.op_type, node.domain, inputs, outputs, node.attributes)
    types = [b"" if v is None else to_proto(v.type).SerializeToString() for v in node.inputs]
    version = max(schema.context_dependent_function_opset_versions, default=0)
    if version:
        body = schema.get_context_dependent_function_with_opset_version(
            version, proto.SerializeToString(), types
        )
        if body:
            return _with_opset(FunctionProto.FromString(body))
    raise UnsupportedOpError(f"ONNX gives no body for {node.operator} here", [node.operator])


def _with_opset(body: FunctionProto) -> FunctionProto:
    """Add the opset that ONNX's body of FlexAttention uses and does not name."""
    if not any(o.domain in ("", "ai.onnx") for o in body.opset_import):
        body.opset_import.append(make_opsetid("", OPSET))
    return body


def emit_function_body(
    op: Ops, node: Node, inputs: Sequence[Value | None] | None = None
) -> list[Value | None]:
    """Emit the body of a function operator for a node, of other `inputs` if given; give outputs."""
    inputs = inputs or node.inputs
    node, captured = _aliased(op, node)
    if _would_lose_bits(node):
        node.attributes["stash_type"] = onnx_dtype(np.dtype(np.float64))
    body = function_body(node)
    if node.domain and not any(o.domain in ("", "ai.onnx") for o in body.opset_import):
        body.opset_import.add(domain="", version=OPSET)  # ONNX leaves out the operators it uses
    attributes = attribute_defaults(node.op_type, node.domain) | node.attributes
    context = Context({}, read_graph, captured=captured)
    return read_function(op, body, inputs, (), attributes, context)


def _would_lose_bits(node: Node) -> bool:
    """Tell whether a body would keep float64 in float32, the schemas' default, on the way."""
    if "stash_type" not in attribute_defaults(node.op_type, node.domain):
        return False
    x, given = node.first_input, len(list(node.writes()))
    return given == 1 and isinstance(x.type, TensorType) and x.dtype == np.float64


def _aliased(op: Ops, node: Node) -> tuple[Node, dict[str, Value]]:
    """Give what a node's subgraphs capture names that no body has, and what they stand for."""
    values = {v: None for graph in node.subgraphs for v in graph.captures()}
    fresh = op.graph.names.fresh
    aliases = {v: Value(fresh(f"{op.prefix}{v.name}"), v.type) for v in values}
    return copy_node(node, dict(aliases), op.graph.names), {a.name: v for v, a in aliases.items()}
