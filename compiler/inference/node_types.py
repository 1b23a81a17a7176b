"""Types of a node's outputs: ONNX's inference, refined by our shape arithmetic."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import TypeProto
from onnx.checker import ValidationError
from onnx.shape_inference import InferenceError, infer_node_outputs

from ..errors import GraphError
from ..graph.ir import Node, Value
from ..graph.types import (
    Dim,
    SequenceType,
    TensorType,
    Type,
    element_type,
    fresh_dim,
    from_proto,
    to_proto,
)
from ..standard.einsum import explicit_terms
from ..standard.protos import node_proto, tensor_proto
from ..standard.schemas import DOMAIN_VERSIONS, get_schema
from .call_checks import check_shapes
from .control_flow_types import CONTROL_FLOW_TYPES
from .ranks import with_ranks
from .refusal import explain, require
from .shapes import LIMIT, dft_shape, infer_elements, infer_shape, refine
from .window_shapes import WINDOW_SHAPES, transposed_shape

_OPSETS = [onnx.helper.make_opsetid(d, v) for d, v in DOMAIN_VERSIONS.items()]

_MOST_ELEMENTS = 2**60
"""No memory holds as many."""

_cache: dict[Any, list[Type | TypeProto | None]] = {}
"""Inferred types by everything they depend on; deep networks repeat themselves.

Types with dimensions that have no name stay messages: each reading gives them new names.
"""


TYPES_BY_BODY: dict[str, Callable[[Node], list[Type | None]]] = {}
"""Operators that ONNX knows nothing of: their types are those that their bodies give."""


def infer_types(node: Node) -> list[Type | None]:
    """Infer the type of each output of a standard operator; None where ONNX cannot tell.

    The outputs of `node` need not have types yet; subgraphs must have theirs.

    Raises:
        GraphError: the inputs' types or shapes do not fit the operator.
        UnsupportedOpError: ONNX does not know the operator.
    """
    if (by_body := TYPES_BY_BODY.get(node.operator)) is not None:
        return by_body(node)
    check_shapes(node)
    structural = _STRUCTURAL.get(node.op_type) if not node.domain else None
    if structural is not None:
        return structural(node)
    node = _without_overhang(node)
    types: list[Type | None] = [*_infer_by_onnx(node)]
    if node.op_type == "Attention":
        types = _attention(node, types)
    first = types[0] if types else None
    if node.operator in WINDOW_SHAPES:
        types = _over_windows(node, types)
    elif isinstance(first, TensorType):
        shape = refine(first.shape, infer_shape(node))
        if shape is not first.shape:
            types[0] = TensorType(first.dtype, shape)
    _require_sizes(node, types)
    return with_ranks(node, types)


def _require_sizes(node: Node, types: Sequence[Type | None]) -> None:
    """Refuse an output that no memory holds; ONNX counts past int64, to what may be negative."""
    for inferred in types:
        shape = inferred.shape if isinstance(inferred, TensorType) else None
        known = [d for d in shape or () if isinstance(d, int)]
        possible = min(known, default=0) >= 0 and prod(known) < _MOST_ELEMENTS
        require(node, possible, f"its output would have the shape {shape}")


def _without_overhang(node: Node) -> Node:
    """Leave out ceil_mode where auto_pad is VALID: the standard's size has no window over the end.

    ONNX's inference and onnxruntime count one.
    """
    if node.attributes.get("auto_pad") != "VALID" or not node.attributes.get("ceil_mode"):
        return node
    return replace(node, attributes={**node.attributes, "ceil_mode": 0})


def infer_elements_of(node: Node) -> None:
    """Note on a node's first output which integers and symbols it holds, where that is known."""
    value = node.outputs[0] if node.outputs else None
    if value is None or not isinstance(value.type, TensorType) or value.constant is not None:
        return
    if value.dtype.kind not in "ib" or value.shape is None or len(value.shape) > 1:
        return
    elements = infer_elements(node)
    if elements is None or len(elements) > LIMIT or not _fit(elements, value.dtype):
        return
    if value.shape and value.shape != (len(elements),):
        if isinstance(value.shape[0], int):
            return
        value.type = TensorType(value.dtype, (len(elements),))
    if all(isinstance(e, int) for e in elements):
        value.constant = np.array(elements if value.shape else elements[0], value.dtype)
    else:
        value.elements = elements


def _fit(elements: Sequence[Dim], dtype: np.dtype) -> bool:
    """Tell whether a dtype holds the numbers: where they wrap around, ours do not."""
    if dtype.kind == "b":
        return True
    limits = np.iinfo(dtype)
    return all(limits.min <= e <= limits.max for e in elements if isinstance(e, int))


def _infer_by_onnx(node: Node) -> list[Type | None]:
    key = _cache_key(node)
    found = _cache.get(key) if key is not None else None
    if found is None:
        found = _ask_onnx(node)
        if key is not None:
            _cache[key] = found
    return [_read(t) if isinstance(t, TypeProto) else t for t in found]


def _ask_onnx(node: Node) -> list[Type | TypeProto | None]:
    schema = get_schema(node.op_type, node.domain)
    inputs = ["" if v is None else f"i{k}" for k, v in enumerate(node.inputs)]
    outputs = ["" if v is None else f"o{k}" for k, v in enumerate(node.outputs)]
    attributes = node.attributes
    if node.op_type == "STFT":  # where it is not given, ONNX's inference takes 0 for its default
        attributes = {"onesided": 1, **attributes}
    proto = node_proto(node.op_type, node.domain, inputs, outputs, attributes)
    present = [(n, v) for n, v in zip(inputs, node.inputs, strict=True) if v is not None]
    types = {name: to_proto(_given_type(node, value)) for name, value in present}
    data = {n: tensor_proto(a) for n, v in present if (a := _data(node, v)) is not None}
    try:
        inferred = infer_node_outputs(schema, proto, types, data, opset_imports=_OPSETS)
    except (InferenceError, ValidationError, ValueError) as error:
        raise GraphError(explain(node, str(error))) from None
    protos = [inferred.get(name) if name else None for name in outputs]
    return [_read(p) if _is_named(p) else p for p in protos]


def _given_type(node: Node, value: Value) -> Type:
    """Give an input's type as ONNX's inference can take it.

    For Resize a list of sizes or scales whose length is unknown counts as empty there, so it gets
    the length that it must have.
    """
    x = node.inputs[0]
    if node.op_type != "Resize" or value is x or x is None or x.rank is None:
        return value.type
    if node.inputs.index(value) < 2 or all(isinstance(d, int) for d in value.shape or ()):
        return value.type
    return TensorType(value.dtype, (len(node.attributes.get("axes") or range(x.rank)),))


def _read(proto: TypeProto | None) -> Type | None:
    if proto is None or proto.WhichOneof("value") is None:
        return None
    if proto.WhichOneof("value") == "tensor_type" and not proto.tensor_type.elem_type:
        return None
    return from_proto(proto, fresh_dim)


def _is_named(proto: TypeProto | None) -> bool:
    if proto is None or proto.WhichOneof("value") != "tensor_type":
        return False
    tensor = proto.tensor_type
    return tensor.HasField("shape") and all(d.WhichOneof("value") for d in tensor.shape.dim)


def _data(node: Node, value: Value | None) -> np.ndarray | None:
    """Give the constant that inference may want to look at."""
    constant = None if value is None else value.constant
    if constant is None or constant.size > LIMIT:
        return None
    if node.op_type == "Pad" and constant.dtype == "int32":  # its axes are read as int64
        return constant.astype(np.int64)
    wanted = constant.dtype.kind == "i" or node.op_type in ("Resize", "Range", "Upsample")
    return constant if wanted else None


def _cache_key(node: Node) -> Any:
    if node.subgraphs:
        return None
    arrays = [_data(node, v) for v in node.inputs]
    data = tuple(None if a is None else a.tobytes() for a in arrays)
    types = tuple(None if v is None else v.type for v in node.inputs)
    present = tuple(v is not None for v in node.outputs)
    attributes = tuple((k, freeze(v)) for k, v in sorted(node.attributes.items()))
    return node.op_type, node.domain, types, data, present, attributes


def freeze(attribute: Any) -> Any:
    """Give a hashable stand-in that is equal for equal attributes."""
    if isinstance(attribute, np.ndarray):
        content = repr(attribute.tolist()) if attribute.dtype.kind == "O" else attribute.tobytes()
        return attribute.dtype.str, attribute.dtype.name, attribute.shape, content
    if isinstance(attribute, list | tuple):
        return tuple(freeze(v) for v in attribute)
    return type(attribute), attribute


def _einsum(node: Node) -> list[Type | None]:
    """Correct what ONNX says of two sizes of an index: it takes the first, and either may be 1."""
    types = _infer_by_onnx(node)
    (inferred,) = types
    operands = [v for v in node.inputs if v is not None]
    equation = node.attributes["equation"]
    if not isinstance(inferred, TensorType) or any(v.shape is None for v in operands):
        return types
    terms, output, _ = explicit_terms(equation, [v.rank or 0 for v in operands])
    sizes: dict[str, set[Dim]] = {}
    for value, term in zip(operands, terms, strict=True):
        for index, dim in zip(term, value.shape or (), strict=True):
            sizes.setdefault(index, set()).add(dim)
    dims: list[Dim] = []
    for index in output:
        stretched = sizes[index] - {1} or {1}
        known = [s for s in stretched if isinstance(s, int)]
        dims.append([*known, *stretched][0] if known or len(stretched) == 1 else fresh_dim())
    return [TensorType(inferred.dtype, tuple(dims))]


def _conv_transpose(node: Node) -> list[Type | None]:
    """Correct what ONNX says of an output that output_shape makes small, or output_padding SAME."""
    types = _infer_by_onnx(node)
    (inferred,) = types
    shape = transposed_shape(node)
    if not isinstance(inferred, TensorType) or shape is None:
        return types
    return [TensorType(inferred.dtype, refine(shape, inferred.shape))]


def _over_windows(node: Node, types: Sequence[Type | None]) -> list[Type | None]:
    """Correct what ONNX counts along an axis of size 0, of a MaxPool's Indices, too."""
    shape = infer_shape(node)
    return [
        TensorType(t.dtype, refine(shape, t.shape)) if isinstance(t, TensorType) else t
        for t in types
    ]


def _attention(node: Node, types: list[Type | None]) -> list[Type | None]:
    """Mend what ONNX says of Attention: it takes symbolic lengths for 0 and caches for unknown."""
    q = node.first_input
    shapes = [t.shape if isinstance(t, TensorType) else None for t in types]
    shapes[1:] = [(0,) * 4 if s is None else s for s in shapes[1:]]
    return [
        TensorType(
            t.dtype if isinstance(t, TensorType) else q.dtype,
            None if s is None else tuple(d or fresh_dim() for d in s),
        )
        for t, s in zip(types, shapes, strict=True)
    ]


def _dft(node: Node) -> list[Type | None]:
    x = node.first_input
    return [TensorType(x.dtype, dft_shape(node))]


def _sequence_at(node: Node) -> list[Type | None]:
    s = node.inputs[0]
    return [element_type(s.type) if s is not None and isinstance(s.type, SequenceType) else None]


_STRUCTURAL: dict[str, Callable[[Node], list[Type | None]]] = {
    "ConvTranspose": _conv_transpose,
    "Einsum": _einsum,
    "DFT": _dft,
    "SequenceAt": _sequence_at,
    **CONTROL_FLOW_TYPES,
}
