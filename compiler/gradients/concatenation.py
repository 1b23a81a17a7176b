"""Gradients of what joins and cuts along an axis: Concat, Split, Slice, Pad."""

import numpy as np

from ..differentiation.rules import RANKLESS, Entries, gradient
from ..emission.ops import Ops
from ..emission.positions import dimension, int64, numbered, ones, put_back, zeros
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@gradient("Concat")
def concat(op: Ops, node: Node, dy: Value) -> Entries:
    """Each input gets its part: dx = Split(dy)"""
    axis = node.attributes["axis"]
    if len(node.inputs) == 1:
        return dy
    sizes = op.Concat(*(dimension(op, x, axis) for x in node.inputs if x is not None), axis=0)
    parts: tuple[Value, ...] = op.Split(dy, sizes, axis=axis, outputs=len(node.inputs))
    return parts


@gradient("Split")
def split(op: Ops, node: Node, *dys: Value | None) -> Entries:
    """The parts joined again: dx = Concat(dy₁, dy₂, …), with zeros for a part without gradient"""
    x = node.first_input
    axis = attribute(node, "axis")
    given = [dy for dy in dys if dy is not None]
    if len(given) < len(dys):
        if x.rank is None:
            return RANKLESS, *(None for _ in node.inputs[1:])
        axis %= x.rank
        sizes = _split_sizes(op, node, axis)
        before, after = op.Shape(x, end=axis), op.Shape(x, start=axis + 1)
        dys = tuple(
            zeros(op, op.Concat(before, op.Gather(sizes, [k]), after, axis=0), given[0])
            if dy is None
            else dy
            for k, dy in enumerate(dys)
        )
    dx = dys[0] if len(dys) == 1 else op.Concat(*dys, axis=axis)
    return dx, *(None for _ in node.inputs[1:])


def _split_sizes(op: Ops, node: Node, axis: int) -> Value:
    """Give the sizes of the parts; without a list all have size ⌈n/parts⌉ but the last ones."""
    x, *rest = node.inputs
    if rest and rest[0] is not None:
        return rest[0]
    parts = len(node.outputs)
    size = op.Shape(x, start=axis, end=axis + 1)
    chunk = op.Div(op.Add(size, parts - 1), parts)
    left = op.Sub(size, op.Mul(chunk, np.arange(parts)))
    return op.Max(op.Min(left, chunk), [0])


@gradient("Slice")
def slice_(op: Ops, node: Node, dy: Value) -> Entries:
    """dx is dy with zeros around: steps back are turned, steps over 1 filled with zeros

    Along an axis of size n from which m elements were taken, the lowest of them at `low`, dx has
    `low` zeros in front, |step| − 1 between two elements and the rest of n after them. A step over
    n takes what one of n does.
    """
    x = node.first_input
    _, starts = node.required(2)
    axes, steps = node.input(3), node.input(4)
    starts = int64(op, starts)
    axes = op.Range(0, op.Size(starts), 1) if axes is None else int64(op, axes)
    size = op.Gather(op.Shape(x), axes)
    taken = op.Gather(op.Shape(dy), axes)
    start = op.Where(op.Less(starts, 0), op.Add(starts, size), starts)
    low = op.Max(op.Min(start, size), [0])
    if steps is not None and not _are_ones(steps):
        longest = op.Max(size, [1])
        steps = op.Max(op.Min(int64(op, steps), longest), op.Neg(longest))
        back = op.Less(steps, 0)
        low = op.Where(back, op.Max(op.Min(start, op.Sub(size, 1)), [0]), low)
        low = op.Add(low, op.Where(back, op.Mul(op.Max(op.Sub(taken, 1), [0]), steps), [0]))
        dy = _turned(op, dy, axes, back)
        dy = _stuffed(op, dy, axes, op.Abs(steps))
        taken = op.Mul(taken, op.Abs(steps))
    behind = op.Sub(op.Sub(size, low), taken)
    dx = op.Pad(dy, op.Concat(low, behind, axis=0), None, axes)
    return dx, *(None for _ in node.inputs[1:])


def _are_ones(steps: Value) -> bool:
    return steps.constant is not None and bool((steps.constant == 1).all())


def _turned(op: Ops, x: Value, axes: Value, back: Value) -> Value:
    """Reverse the axes that are marked."""
    if back.constant is not None and not back.constant.any():
        return x
    lowest = np.iinfo(np.int64).min
    starts = op.Where(back, [-1], [0])
    ends = op.Where(back, [lowest], [np.iinfo(np.int64).max])
    return op.Slice(x, starts, ends, axes, op.Where(back, [-1], [1]))


def _stuffed(op: Ops, x: Value, axes: Value, steps: Value) -> Value:
    """Put step − 1 zeros after every element along the axes: (n, …) → (n, 1, …) → (n·step, …)."""
    shape = op.Shape(x)
    all_ones = ones(op, op.Shape(shape), shape)
    every = op.ScatterElements(all_ones, axes, steps)
    pairs = op.Concat(op.Unsqueeze(shape, [1]), op.Unsqueeze(all_ones, [1]), axis=1)
    columns = op.Reshape(x, op.Reshape(pairs, [-1]), allowzero=1)
    widths = op.Concat(op.Mul(all_ones, 0), op.Sub(every, 1), axis=0)
    inner = op.Range(1, op.Mul(op.Size(shape), 2), 2)
    padded = op.Pad(columns, widths, None, inner)
    return op.Reshape(padded, op.Mul(shape, every), allowzero=1)


@gradient("Pad")
def pad(op: Ops, node: Node, dy: Value) -> Entries:
    """dx is what is left of dy without the padding; a repeated element gets the sum of its copies

    The padding's value gets the sum of dy over the padding.
    """
    x = node.first_input
    _, pads = node.required(2)
    value, axes = node.input(2), node.input(3)
    axes = axes and int64(op, axes)
    mode = attribute(node, "mode")
    rest: list[Value | None] = [None] * (len(node.inputs) - 1)
    if mode != "constant":
        positions = op.Pad(numbered(op, op.Shape(x)), pads, None, axes, mode=mode)
        return put_back(op, dy, positions, x), *rest
    if value is not None:
        inside = op.Pad(ones(op, op.Shape(x), x), pads, op.like(0, x), axes)
        outside = op.ReduceSum(op.Mul(dy, op.Sub(op.like(1, x), inside)), keepdims=0)
        rest[1] = op.Reshape(outside, op.Shape(value))
    return _unpadded(op, dy, x, pads, axes), *rest


def _unpadded(op: Ops, dy: Value, x: Value, pads: Value, axes: Value | None) -> Value:
    """Cut the padding off; a negative one is put back as zeros."""
    if pads.constant is None or bool((pads.constant < 0).any()):
        return op.Pad(dy, op.Neg(pads), None, axes)
    sizes = op.Shape(x) if axes is None else op.Gather(op.Shape(x), axes)
    starts = op.constant(pads.constant[: len(pads.constant) // 2])
    axes = op.Range(0, op.Size(starts), 1) if axes is None else axes
    return op.Slice(dy, starts, op.Add(starts, sizes), axes)
