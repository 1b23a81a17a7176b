"""Gradients of cumulative sums and products."""

from typing import Any

from ..differentiation.rules import Entries, gradient
from ..emission.accumulation import accumulate
from ..emission.ops import Ops
from ..emission.positions import int64
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@gradient("CumSum")
def cumulative_sum(op: Ops, node: Node, dy: Value) -> Entries:
    """Each x is in all later sums: dx = the cumulative sum of dy from the other end"""
    exclusive, reverse = _settings(node)
    return op.CumSum(dy, node.inputs[1], exclusive=exclusive, reverse=1 - reverse), None


@gradient("CumProd")
def cumulative_product(op: Ops, node: Node, dy: Value) -> Entries:
    """dxₖ = Σᵢ dyᵢ·(yᵢ with 1 in place of xₖ) over the yᵢ that have xₖ as a factor

    All k are taken at once, along a new first axis; no division, so that zeros do no harm.
    """
    x, axis = node.required(2)
    axis = int64(op, axis)
    exclusive, reverse = _settings(node)
    shape = op.Shape(x)
    place = op.CumSum(op.Expand(op.constant(1), shape), axis, exclusive=1)
    ones = op.Expand(op.constant([1]), op.Shape(shape))
    count = op.Reshape(op.Gather(shape, axis), [1])
    left_out = op.Reshape(
        op.Range(0, op.Squeeze(count, [0]), 1), op.Concat(count, ones, axis=0), allowzero=1
    )
    here = op.Equal(place, left_out)
    shifted = op.Where(op.Less(axis, 0), axis, op.Add(axis, 1))
    without = op.CumProd(op.Where(here, 1.0, x), shifted, exclusive=exclusive, reverse=reverse)
    later, earlier = (left_out, place) if reverse else (place, left_out)
    compare: Any = op.Greater if exclusive else op.GreaterOrEqual
    terms = op.Where(compare(later, earlier), op.Mul(without, dy), 0.0)
    by_factor = accumulate(op, terms, op.Reshape(shifted, [1]), keepdims=1)
    return accumulate(op, op.Where(here, by_factor, 0.0), [0], keepdims=0), None


def _settings(node: Node) -> tuple[int, int]:
    return attribute(node, "exclusive"), attribute(node, "reverse")
