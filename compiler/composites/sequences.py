"""Bodies of the sums and zeros of sequences: one step for each element."""

from collections.abc import Callable

from ..ir import Graph, Node, Value
from ..ops import Ops
from ..sequences import zeros_like
from ..types import SequenceType, TensorType, as_dtype
from .registry import form

_LEAD = TensorType(as_dtype("int64"), ()), TensorType(as_dtype("bool"), ())


@form("SequenceAdd")
def sequence_add(op: Ops, node: Node) -> Value:
    """y[k] = a[k] + b[k]"""
    return _each(op, node, lambda inner, a, b: inner.Add(a, b))


@form("SequenceZeros")
def sequence_zeros(op: Ops, node: Node) -> Value:
    """y[k] = 0 of the shape of x[k]"""
    return _each(op, node, zeros_like)


def _each(op: Ops, node: Node, function: Callable[..., Value]) -> Value:
    body = Graph("each", op.graph.names)
    inner = Ops(body, prefix=op.prefix)
    types = [*_LEAD, *(_element(v) for v in node.inputs)]
    for type_ in types:
        value = Value(body.names.fresh(f"{op.prefix}in"), type_)
        body.inputs.append(body.add_value(value))
    body.outputs = [body.inputs[1], function(inner, *body.inputs[2:])]
    (y,) = node.outputs
    assert y is not None
    result: Value = op.composite(
        "Iterate", None, None, *node.inputs, types=[y.type], body=body, states=0
    )
    return result


def _element(value: Value | None) -> TensorType:
    assert value is not None and isinstance(value.type, SequenceType)
    assert isinstance(value.type.element, TensorType)
    return value.type.element
