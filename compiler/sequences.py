"""Sums and zeros of gradients, which are tensors or sequences of tensors."""

import numpy as np

from .ir import Value
from .ops import Ops
from .types import SequenceType, TensorType, as_dtype, fresh_dim

_SHAPES = TensorType(as_dtype("int64"), (fresh_dim(), fresh_dim()))


def add(op: Ops, a: Value, b: Value) -> Value:
    """Add two gradients of one value; of sequences element by element."""
    if isinstance(a.type, SequenceType):
        result: Value = op.composite("SequenceAdd", a, b, types=[a.type])
    else:
        result = op.Add(a, b)
    return result


def zeros_like(op: Ops, x: Value) -> Value:
    """Give zeros of the shape of a tensor, or of the shapes of a sequence's elements."""
    if isinstance(x.type, SequenceType):
        shapes = op.composite("SequenceShapes", x, types=[_SHAPES])
        result: Value = op.composite("SequenceOfZeros", shapes, types=[x.type])
        return result
    zero: Value = op.ConstantOfShape(op.Shape(x), value=np.zeros(1, x.dtype))
    if isinstance(zero.type, TensorType) and zero.shape is None:
        zero.type = x.type
    return zero
