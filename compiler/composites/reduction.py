"""Body of the composite that multiplies all elements of a group but one."""

from ..emission.ops import Ops
from ..emission.positions import numbered
from ..graph.ir import Node, Value
from .registry import form


@form("ProductOfOthers")
def by_running_products(op: Ops, node: Node) -> Value:
    """Give, for each element, the product of the others along the axes where `kept` is 1.

    The elements are factors at the place that they are reduced to, see OtherFactors.
    """
    x, kept = node.required(2)
    shape = op.Shape(x)
    factors = op.Reshape(x, [-1])
    places = op.Reshape(op.Expand(numbered(op, kept), shape), [-1])
    size = op.ReduceProd(kept, keepdims=0)
    others = op.composite("OtherFactors", factors, places, size, types=[factors.type])
    return op.Reshape(others, shape, allowzero=1)


@form("ProductOfOthers", "division", run_only=True)
def by_division(op: Ops, node: Node) -> Value:
    """The product of all, divided by the element; where zeros are among them, only a zero that
    is alone has others without a zero.
    """
    x, kept = node.required(2)
    axes = op.Squeeze(op.NonZero(op.Equal(kept, 1)), [0])
    zero = op.Equal(x, 0.0)
    factors = op.Where(zero, 1.0, x)
    product = op.ReduceProd(factors, axes, keepdims=1, noop_with_empty_axes=1)
    zeros = op.ReduceSum(op.Cast(zero, to="float32"), axes, keepdims=1, noop_with_empty_axes=1)
    alone = op.Where(op.Equal(zeros, 1.0), product, 0.0)
    others = op.Where(op.Equal(zeros, 0.0), op.Div(product, factors), 0.0)
    return op.Where(zero, alone, others)
