"""Single nodes and attributes as ONNX messages; whole graphs are the exporter's."""

from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto

from .schemas import find_schema
from .types import OptionalType, SequenceType, TensorType, to_proto


def tensor_proto(array: np.ndarray, name: str = "") -> TensorProto:
    """Write an array; strings come from arrays of objects."""
    if array.dtype.kind in "OUS":
        proto = TensorProto(name=name, data_type=TensorProto.STRING, dims=array.shape)
        proto.string_data.extend(
            v if isinstance(v, bytes) else str(v).encode() for v in array.ravel()
        )
        return proto
    return onnx.numpy_helper.from_array(array, name)


def node_proto(
    op_type: str,
    domain: str,
    inputs: list[str],
    outputs: list[str],
    attributes: dict[str, Any],
    name: str = "",
) -> NodeProto:
    """Write a node whose attributes hold no graphs (those are added by the exporter)."""
    proto = NodeProto(op_type=op_type, domain=domain, name=name)
    proto.input.extend(inputs)
    proto.output.extend(outputs)
    schema: Any = find_schema(op_type, domain)  # onnx types only half of OpSchema
    for key, value in attributes.items():
        spec = schema.attributes.get(key) if schema is not None else None
        proto.attribute.append(attribute_proto(key, value, spec.type.value if spec else 0))
    return proto


def attribute_proto(name: str, value: Any, kind: int = 0) -> AttributeProto:
    """Write an attribute as the AttributeProto type `kind`, or as its Python type suggests."""
    proto = AttributeProto(name=name, type=kind or _kind(value))  # type: ignore[arg-type]
    kinds = AttributeProto
    match proto.type:
        case kinds.INT:
            proto.i = int(value)
        case kinds.FLOAT:
            proto.f = float(value)
        case kinds.STRING:
            proto.s = _encode(value)
        case kinds.TENSOR:
            proto.t.CopyFrom(tensor_proto(np.asarray(value)))
        case kinds.TYPE_PROTO:
            proto.tp.CopyFrom(to_proto(value))
        case kinds.INTS:
            proto.ints.extend(int(v) for v in value)
        case kinds.FLOATS:
            proto.floats.extend(float(v) for v in value)
        case kinds.STRINGS:
            proto.strings.extend(_encode(v) for v in value)
        case kinds.TENSORS:
            proto.tensors.extend(tensor_proto(v) for v in value)
        case _:
            raise TypeError(f"the attribute '{name}' cannot be {value!r}")
    return proto


def _encode(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _kind(value: Any) -> int:
    kinds = AttributeProto
    if isinstance(value, list | tuple):
        first = _kind(value[0]) if value else int(kinds.INT)
        floats = any(isinstance(v, float) for v in value)
        return int(kinds.FLOATS) if floats else first + (int(kinds.FLOATS) - int(kinds.FLOAT))
    if isinstance(value, bool | int | np.integer):
        return int(kinds.INT)
    if isinstance(value, float | np.floating):
        return int(kinds.FLOAT)
    if isinstance(value, str | bytes):
        return int(kinds.STRING)
    if isinstance(value, np.ndarray):
        return int(kinds.TENSOR)
    if isinstance(value, TensorType | SequenceType | OptionalType):
        return int(kinds.TYPE_PROTO)
    raise TypeError(f"no ONNX attribute can hold {value!r}")
