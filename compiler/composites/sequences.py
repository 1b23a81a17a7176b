"""Bodies of what is done to each element of a sequence: one step for each."""

from collections.abc import Callable

import numpy as np

from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value
from ..graph.types import SequenceType, TensorType, Type, as_dtype
from .registry import form, standard_body

_LEAD = TensorType(as_dtype("int64"), ()), TensorType(as_dtype("bool"), ())


@form("SequenceAdd")
def sequence_add(op: Ops, node: Node) -> Value:
    """y[k] = a[k] + b[k]"""
    return _each(op, node, lambda inner, a, b: inner.Add(a, b))


@form("SequenceShapes")
def sequence_shapes(op: Ops, node: Node) -> Value:
    """y[k] = the shape of x[k]; all elements have one rank"""
    return _each(op, node, lambda inner, x: inner.Shape(x))


@form("SequenceOfZeros")
def sequence_of_zeros(op: Ops, node: Node) -> Value:
    """y[k] = zeros of the shape x[k]"""
    zero = np.zeros(1, _element(node.output()).dtype)
    return _each(op, node, lambda inner, shape: inner.ConstantOfShape(shape, value=zero))


@form("SequenceSizes")
def sequence_sizes(op: Ops, node: Node) -> Value:
    """y[k] = the size of x[k] along the axis"""
    axis = node.attributes["axis"]
    return _each(op, node, lambda inner, x: inner.Gather(inner.Shape(x), axis))


@standard_body("SequenceMap")
def sequence_map(op: Ops, node: Node) -> list[Value | None]:
    """Iterate over the sequences; what is not a sequence is the same in every step"""
    body: Graph = node.attributes["body"]
    tapes = []
    for value, inside in zip(node.given(), list(body.inputs), strict=True):
        if isinstance(value.type, SequenceType):
            tapes.append(value)
        else:
            body.replace_uses(inside, value)
            body.remove(inside)
    lead = [_input(body, type_, op.prefix) for type_ in _LEAD]
    body.inputs = [*lead, *body.inputs[: len(tapes)]]
    body.outputs = [lead[1], *body.outputs]
    types = [None if v is None else v.type for v in node.outputs]
    results = op.composite("Iterate", None, None, *tapes, types=types, body=body, states=0)
    return [results] if isinstance(results, Value) else list(results)


def _input(body: Graph, type_: Type, prefix: str) -> Value:
    value = body.add_value(Value(body.names.fresh(f"{prefix}in"), type_))
    body.inputs.append(value)
    return value


def _each(op: Ops, node: Node, function: Callable[..., Value]) -> Value:
    body = Graph("each", op.graph.names)
    inner = Ops(body, prefix=op.prefix)
    types = [*_LEAD, *(_entry(v) for v in node.given())]
    for type_ in types:
        _input(body, type_, op.prefix)
    body.outputs = [body.inputs[1], function(inner, *body.inputs[2:])]
    y = node.output()
    return op.composite("Iterate", None, None, *node.inputs, types=[y.type], body=body, states=0)


def _element(value: Value) -> TensorType:
    assert isinstance(value.type, SequenceType)
    assert isinstance(value.type.element, TensorType)
    return value.type.element


def _entry(value: Value) -> TensorType:
    """Give the type of one element of a sequence, or of one row of a tensor."""
    if isinstance(value.type, TensorType):
        return TensorType(value.dtype, None if value.shape is None else value.shape[1:])
    return _element(value)
