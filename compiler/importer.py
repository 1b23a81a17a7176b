"""Read an ONNX model into a graph at the compiler's opset; it changes no name that is asked for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TypeProto

from .errors import GraphError, ModelFileError
from .ir import Graph, Names, Value
from .ops import Ops
from .opset import OPSET
from .schemas import attribute_value
from .types import Dim, TensorType, Type, fresh_dim, from_proto, is_float

Scope = dict[str, Value]


def import_model(model: ModelProto, shapes: Mapping[str, int] | None = None) -> Graph:
    """Read a model; `shapes` gives numbers to symbolic dimensions.

    Raises:
        ModelFileError: the model is not valid ONNX.
        UnsupportedOpError: it has operators that ONNX does not know.
    """
    version = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), OPSET)
    if version != OPSET:
        model = onnx.version_converter.convert_version(model, OPSET)
    graph = Graph(model.graph.name or "graph", Names())
    graph.metadata = {p.key: p.value for p in model.metadata_props}
    _Reader(shapes or {}).read(model.graph, graph, {})
    return graph


class _Reader:
    """Reads graphs, one scope inside another."""

    def __init__(self, shapes: Mapping[str, int]) -> None:
        self._shapes = shapes

    def read(self, proto: GraphProto, graph: Graph, outer: Scope) -> None:
        """Fill a graph from its message; `outer` holds the values of enclosing scopes."""
        scope = dict(outer)
        arrays = {t.name: onnx.numpy_helper.to_array(t) for t in proto.initializer}
        for info in proto.input:
            value = Value(info.name, self._type(info.type), arrays.pop(info.name, None))
            graph.inputs.append(graph.add_value(value))
            scope[info.name] = value
        for name, array in arrays.items():
            type_ = TensorType(array.dtype, array.shape)
            value = Value(name, type_, array, parameter=is_float(array.dtype))
            scope[name] = graph.add_value(value)
        declared = {i.name: i.type for i in (*proto.value_info, *proto.output)}
        for node in proto.node:
            self._node(node, graph, scope, declared)
        for info in proto.output:
            if info.name not in scope:
                raise ModelFileError(f"nothing computes the output '{info.name}'")
            graph.outputs.append(scope[info.name])

    def _node(
        self, proto: NodeProto, graph: Graph, scope: Scope, declared: Mapping[str, TypeProto]
    ) -> None:
        inputs = [self._resolve(proto, name, scope) for name in proto.input]
        if proto.op_type == "Constant" and not proto.domain:
            self._constant(proto, graph, scope)
            return
        attributes = {a.name: self._attribute(a, graph, scope) for a in proto.attribute}
        op = Ops(graph)
        try:
            results = op.emit(
                proto.op_type,
                *inputs,
                outputs=list(proto.output),
                domain="" if proto.domain == "ai.onnx" else proto.domain,
                name=proto.name,
                **attributes,
            )
        except GraphError as error:
            error.add_note(f"in the node '{proto.name or proto.output[0]}' of the model")
            raise
        for name, value in zip(
            proto.output, (results,) if len(proto.output) == 1 else results, strict=True
        ):
            if name:
                scope[name] = value

    def _resolve(self, node: NodeProto, name: str, scope: Scope) -> Value | None:
        if not name:
            return None
        if name not in scope:
            raise ModelFileError(
                f"{node.op_type} '{node.name}' reads '{name}', which nothing before it computes"
            )
        return scope[name]

    def _constant(self, proto: NodeProto, graph: Graph, scope: Scope) -> None:
        (attribute,) = proto.attribute
        held = attribute_value(attribute)
        dtypes: dict[str, Any] = {"value_float": np.float32, "value_floats": np.float32}
        if attribute.name in ("value_string", "value_strings"):
            dtypes[attribute.name] = object
        array = np.asarray(held, dtypes.get(attribute.name))
        value = Value(proto.output[0], TensorType(array.dtype, array.shape), array)
        scope[value.name] = graph.add_value(value)

    def _attribute(self, proto: onnx.AttributeProto, graph: Graph, scope: Scope) -> Any:
        if proto.type == onnx.AttributeProto.GRAPH:
            inner = Graph(proto.g.name or proto.name, graph.names)
            self.read(proto.g, inner, scope)
            return inner
        if proto.type == onnx.AttributeProto.TYPE_PROTO:
            return self._type(proto.tp)
        return attribute_value(proto)

    def _type(self, proto: TypeProto) -> Type:
        type_ = from_proto(proto, fresh_dim)
        if isinstance(type_, TensorType) and type_.shape is not None:
            dims: list[Dim] = [
                self._shapes.get(d, d) if isinstance(d, str) else d for d in type_.shape
            ]
            return TensorType(type_.dtype, tuple(dims))
        return type_
