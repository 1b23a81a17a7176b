"""Sums and zeros of gradients: tensors, sequences of tensors, or optionals of either."""

from collections.abc import Callable, Sequence
from functools import partial, reduce

import numpy as np

from ..graph.ir import Graph, Value
from ..graph.types import OptionalType, SequenceType, TensorType, as_dtype, fresh_dim
from .accumulation import as_float32, cast_to, is_half
from .ops import Ops

_SHAPES = TensorType(as_dtype("int64"), (fresh_dim(), fresh_dim()))


def add(op: Ops, a: Value, b: Value) -> Value:
    """Add two gradients of one value: element by element, empty optionals to an empty one."""
    if isinstance(a.type, SequenceType):
        return op.composite("SequenceAdd", a, b, types=[a.type])
    if isinstance(a.type, OptionalType):
        return _where_present(op, a, lambda inner: add(inner, element(inner, a), element(inner, b)))
    return op.Add(a, b)


def add_all(op: Ops, gradients: Sequence[Value]) -> Value:
    """Add all gradients of one value; more than two of half precision in float32, rounded once."""
    first = gradients[0]
    if len(gradients) <= 2 or not is_half(first):
        return reduce(partial(add, op), gradients)
    return cast_to(op, reduce(op.Add, [as_float32(op, dx) for dx in gradients]), first)


def zeros_like(op: Ops, x: Value, dtype: np.dtype | None = None) -> Value:
    """Give zeros of the shape of a tensor, or of the shapes of a sequence's elements, or nothing.

    The zeros of a tensor may have another dtype.
    """
    if isinstance(x.type, SequenceType):
        shapes = op.composite("SequenceShapes", x, types=[_SHAPES])
        return op.composite("SequenceOfZeros", shapes, types=[x.type])
    if isinstance(x.type, OptionalType):
        return _where_present(op, x, lambda inner: zeros_like(inner, element(inner, x)))
    zero: Value = op.ConstantOfShape(op.Shape(x), value=np.zeros(1, dtype or x.dtype))
    if zero.shape is None:
        zero.type = TensorType(zero.dtype, x.shape)
    return zero


def element(op: Ops, x: Value) -> Value:
    """Give what an optional holds."""
    return _held(op, x) or op.OptionalGetElement(x)


def _held(op: Ops, x: Value) -> Value | None:
    """Give what was put into an optional, where this graph did it."""
    node = op.graph.producer(x) if op.graph.owns(x) else None
    return (
        node.inputs[0] if node is not None and node.operator == "Optional" and node.inputs else None
    )


def _where_present(op: Ops, x: Value, emit: Callable[[Ops], Value]) -> Value:
    """Give what is emitted, as an optional, where the optional x holds something; else nothing."""
    assert isinstance(x.type, OptionalType)
    if _held(op, x) is not None:
        return op.Optional(emit(op))
    present, absent = (Graph(name, op.graph.names) for name in ("present", "absent"))
    inner = Ops(present, prefix=op.prefix)
    present.outputs = [inner.Optional(emit(inner))]
    absent.outputs = [Ops(absent, prefix=op.prefix).Optional(type=x.type.element)]
    result = op.If(op.OptionalHasElement(x), then_branch=present, else_branch=absent)
    result.type = x.type
    return result
