"""Body of the composite that multiplies all elements of a group but one."""

from ..ir import Node, Value
from ..ops import Ops
from .registry import form


@form("ProductOfOthers")
def product_of_others(op: Ops, node: Node) -> Value:
    """Give, for each element, the product of the others along the axes where `kept` is 1.

    The product of all, divided by the element; where zeros are among them, only a zero that
    is alone has others without a zero.
    """
    x, kept = node.inputs
    assert x is not None
    axes = op.Squeeze(op.NonZero(op.Equal(kept, 1)), [0])
    zero = op.Equal(x, 0.0)
    factors = op.Where(zero, 1.0, x)
    product = op.ReduceProd(factors, axes, keepdims=1, noop_with_empty_axes=1)
    zeros = op.ReduceSum(op.Cast(zero, to=1), axes, keepdims=1, noop_with_empty_axes=1)
    alone = op.Where(op.Equal(zeros, 1.0), product, 0.0)
    others = op.Where(op.Equal(zeros, 0.0), op.Div(product, factors), 0.0)
    result: Value = op.Where(zero, alone, others)
    return result
