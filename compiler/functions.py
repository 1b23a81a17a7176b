"""Bodies that ONNX itself gives to its function operators, emitted at our opset."""

from typing import Any

import onnx
from onnx import FunctionProto

from .errors import UnsupportedOpError
from .ir import Node, Value
from .ops import Ops
from .opset import OPSET
from .protos import node_proto
from .schemas import attribute_defaults, attribute_value, find_schema
from .types import to_proto


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
            return FunctionProto.FromString(body)
    raise UnsupportedOpError(f"ONNX gives no body for {node.operator} here", [node.operator])


def emit_function_body(op: Ops, node: Node) -> list[Value | None]:
    """Emit the body of a function operator for a node; give its outputs."""
    body = function_body(node)
    version = next((i.version for i in body.opset_import if i.domain in ("", "ai.onnx")), OPSET)
    values: dict[str, Value | None] = {"": None}
    values.update(zip(body.input, node.inputs, strict=False))
    for name in body.input[len(node.inputs) :]:
        values[name] = None
    attributes = attribute_defaults(node.op_type, node.domain) | node.attributes
    for inner in body.node:
        current, then = (find_schema(inner.op_type, inner.domain, v) for v in (OPSET, version))
        if current is None or then is None or current.since_version != then.since_version:
            _require_upgrade(inner, version)
        given = {}
        for attribute in inner.attribute:
            if not attribute.ref_attr_name:
                given[attribute.name] = attribute_value(attribute)
            elif attribute.ref_attr_name in attributes:
                given[attribute.name] = attributes[attribute.ref_attr_name]
        names = [op.prefix + n if n else "" for n in inner.output]
        results = op.emit(
            inner.op_type,
            *(values[name] for name in inner.input),
            outputs=[op.graph.names.fresh(n) if n else "" for n in names],
            domain=inner.domain,
            **given,
        )
        results = (results,) if len(names) == 1 else results
        values.update(zip(inner.output, results, strict=True))
    return [values.get(name) for name in body.output]  # an optional one may not be computed


def _require_upgrade(inner: onnx.NodeProto, version: int) -> None:
    """Accept an older operator in a body only where its newer versions added nothing but types."""
    current = find_schema(inner.op_type, inner.domain)
    then = find_schema(inner.op_type, inner.domain, version)
    same = (
        current is not None
        and then is not None
        and set(then.attributes) <= set(current.attributes)
        and len(then.inputs) <= len(current.inputs)
    )
    if not same:
        raise UnsupportedOpError(
            f"the body uses {inner.op_type} of opset {version}", [inner.op_type]
        )
