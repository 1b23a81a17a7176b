"""Gradients of operators that choose between their operands, element by element."""

from functools import reduce

from ..differentiation.rules import Entries, gradient
from ..emission.ops import Ops
from ..graph.ir import Node, Value


@gradient("Where", broadcasts=True)
def where(op: Ops, node: Node, dy: Value) -> Entries:
    """y = a where c, else b: da = dy where c, db = dy elsewhere, 0 in the other places"""
    condition = node.inputs[0]
    return None, op.Where(condition, dy, 0.0), op.Where(condition, 0.0, dy)


@gradient("Max", "Min", broadcasts=True, widens=True)
def extremum(op: Ops, node: Node, dy: Value) -> Entries:
    """The operand that is y gets dy; operands that tie share it in equal parts"""
    if len(node.inputs) == 1:
        return dy
    if len(node.inputs) == 2:
        return _one_of_two(op, node, dy)
    y = node.output()
    chosen = [op.Equal(x, y) for x in node.inputs]
    ties = reduce(op.Add, [op.Cast(c, to=y.dtype) for c in chosen])
    share = op.Div(dy, ties)
    return tuple(op.Where(c, share, 0.0) for c in chosen)


def _one_of_two(op: Ops, node: Node, dy: Value) -> Entries:
    """Compare the operands with each other: it needs no y, and a NaN shares."""
    first, second = op.Greater(*node.inputs), op.Less(*node.inputs)
    if node.op_type == "Min":
        first, second = second, first
    half = op.Mul(dy, 0.5)
    da = op.Where(first, dy, op.Where(second, 0.0, half))
    db = op.Where(second, dy, op.Where(first, 0.0, half))
    return da, db


@gradient("Clip", broadcasts=True)
def clip(op: Ops, node: Node, dy: Value) -> Entries:
    """y = min(max(x, low), high): x gets dy where low ≤ x ≤ high, else the bound that y is

    On a bound x gets it all. Where low > high, y is high whatever x is.
    """
    x, low, high = (*node.inputs, None, None)[:3]
    entries: list[Value | None] = [None, None, None]
    if low is None and high is None:
        entries[0] = dy
    elif low is None:
        entries[0] = op.Where(op.LessOrEqual(x, high), dy, 0.0)
        entries[2] = op.Where(op.Greater(x, high), dy, 0.0)
    elif high is None:
        entries[0] = op.Where(op.GreaterOrEqual(x, low), dy, 0.0)
        entries[1] = op.Where(op.Less(x, low), dy, 0.0)
    else:
        inside = op.And(op.GreaterOrEqual(x, low), op.LessOrEqual(x, high))
        crossed = op.Greater(low, high)
        above = op.Or(op.Greater(x, high), crossed)
        below = op.And(op.Less(x, low), op.Not(crossed))
        entries = [op.Where(place, dy, 0.0) for place in (inside, below, above)]
    return entries[: len(node.inputs)]
