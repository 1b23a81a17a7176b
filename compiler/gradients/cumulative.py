"""Gradients of cumulative sums and products."""

from ..differentiation.rules import Entries, gradient
from ..emission.ops import Ops
from ..emission.positions import int64
from ..emission.scanning import scan
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@gradient("CumSum")
def cumulative_sum(op: Ops, node: Node, dy: Value) -> Entries:
    """Each x is in all later sums: dx = the cumulative sum of dy from the other end"""
    exclusive, reverse = _settings(node)
    return op.CumSum(dy, node.inputs[1], exclusive=exclusive, reverse=1 - reverse), None


@gradient("CumProd", widens=True)
def cumulative_product(op: Ops, node: Node, dy: Value) -> Entries:
    """dxₖ = (the product of all x before k)·sₖ, and sₖ = dyₖ + xₖ₊₁·sₖ₊₁ from the last on

    No division, so that zeros do no harm; if exclusive, sₖ = dyₖ₊₁ + xₖ₊₁·sₖ₊₁. Held are x and s
    only, which products that leave out one x each, for all k at once, would be many of.
    """
    x, axis = node.required(2)
    exclusive, reverse = _settings(node)
    shape = op.Shape(x)
    place = op.Reshape(int64(op, axis), [1])
    place = op.Where(op.Less(place, 0), op.Add(place, op.Shape(shape)), place)
    behind = op.Slice(shape, op.Add(place, 1), [2**31])
    parts = (op.Slice(shape, [0], place), op.Gather(shape, place), behind)
    matrices = op.Concat(*(op.ReduceProd(part, [0], keepdims=1) for part in parts), axis=0)
    rows, slopes = (op.Reshape(v, matrices, allowzero=1) for v in (x, dy))
    before = op.CumProd(rows, 1, exclusive=1, reverse=reverse)

    def step(inner: Ops, carried: Value, factor: Value, slope: Value) -> tuple[Value, Value]:
        if exclusive:
            return inner.Add(slope, inner.Mul(factor, carried)), inner.Identity(carried)
        sums = inner.Add(slope, carried)
        return inner.Mul(factor, sums), sums

    sizes = op.Shape(rows)
    ends = [op.Slice(sizes, [k], [k + 1]) for k in (0, 2)]
    none = op.Expand(op.like(0, rows), op.Concat(*ends, axis=0))
    sums = scan(op, none, rows, slopes, step=step, axis=1, backward=not reverse)
    return op.Reshape(op.Mul(before, sums), shape, allowzero=1), None


def _settings(node: Node) -> tuple[int, int]:
    return attribute(node, "exclusive"), attribute(node, "reverse")
