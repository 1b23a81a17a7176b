"""Gradients of conversions between dtypes and of dequantization.

A conversion to a float dtype passes the gradient on, rounded to the dtype of its input; one to
integers or to 8 bits is a step and ends it, by the dtype alone.
"""

from ..differentiation.rules import RANKLESS, Entries, Refused, composite_gradient, gradient
from ..emission.accumulation import accumulate, cast_to
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@gradient("Cast", "CastLike")
def cast(op: Ops, node: Node, dy: Value) -> Entries:
    """dx = dy in the dtype of x; of CastLike's target only the dtype is read"""
    return cast_to(op, dy, node.first_input), *(None for _ in node.inputs[1:])


@gradient("BitCast")
def bit_cast(op: Ops, node: Node, dy: Value) -> Entries:
    """Bits read as another dtype: the identity where the dtype is the same"""
    if dy.dtype == node.first_input.dtype:
        return dy
    return Refused("the bits of one float dtype read as another are not a differentiable function")


@gradient("DequantizeLinear")
def dequantize(op: Ops, node: Node, dy: Value) -> Entries:
    """y = (x − zero point)·scale:  dscale = Σ dy·(x − zero point) over what shares a scale

    x and its zero point are integers or 8-bit floats, which carry no gradient.
    """
    x, scale = node.required(2)
    zero = node.inputs[2:]
    if scale.rank is None or (scale.rank and x.rank is None):
        return None, RANKLESS, *(None for _ in zero)
    unit = op.Expand(op.like(1, scale), op.Shape(scale))
    steps = op.DequantizeLinear(x, unit, *zero, **node.attributes)
    terms = cast_to(op, op.Mul(dy, steps), scale)
    return None, _sum_by_scale(op, node, terms, scale), *(None for _ in zero)


def _sum_by_scale(op: Ops, node: Node, terms: Value, scale: Value) -> Value:
    """Sum over what shares a scale: all, all but one axis, or blocks along the axis."""
    axis, block = attribute(node, "axis"), attribute(node, "block_size")
    if scale.known_rank == 0 or (scale.shape == (1,) and not block):
        return op.Reshape(accumulate(op, terms, None, keepdims=0), op.Shape(scale))
    axis %= terms.known_rank
    if not block:
        others = [k for k in range(terms.known_rank) if k != axis]
        return accumulate(op, terms, others, keepdims=0) if others else terms
    blocks = op.Shape(scale, start=axis, end=axis + 1)
    missing = op.Sub(op.Mul(blocks, block), op.Shape(terms, start=axis, end=axis + 1))
    padded = op.Pad(terms, op.Concat([0], missing, axis=0), None, [axis])
    front, back = op.Shape(scale, end=axis), op.Shape(scale, start=axis + 1)
    split = op.Reshape(padded, op.Concat(front, blocks, [block], back, axis=0), allowzero=1)
    return accumulate(op, split, [axis + 1], keepdims=0)


@gradient("DynamicQuantizeLinear")
def dynamic_quantize(op: Ops, node: Node, dy: None, dscale: Value, dzero: None = None) -> Entries:
    """scale = (max(x, 0) − min(x, 0))/255: the extreme elements beyond 0 share dscale/255

    The other two outputs are integers.
    """
    x = node.first_input
    step = op.Div(dscale, 255.0)
    top = _at_extreme(op, x, op.ReduceMax(x, keepdims=0), op.Greater(x, 0.0), step)
    bottom = _at_extreme(op, x, op.ReduceMin(x, keepdims=0), op.Less(x, 0.0), step)
    return op.Sub(top, bottom)


def _at_extreme(op: Ops, x: Value, extreme: Value, beyond: Value, step: Value) -> Value:
    """Share `step` among the elements that are the extreme and beyond 0; give 0 elsewhere."""
    chosen = op.And(op.Equal(x, extreme), beyond)
    ties = op.ReduceSum(cast_to(op, chosen, x), keepdims=0)
    ties = op.Max(ties, op.like(1, x))  # step/0 would be a NaN in the second order
    return op.Where(chosen, op.Div(step, ties), 0.0)


@composite_gradient("StraightThrough")
def straight_through(op: Ops, node: Node, dy: Value) -> Entries:
    """y has the numbers of the first input and the derivative of the second"""
    return None, dy
