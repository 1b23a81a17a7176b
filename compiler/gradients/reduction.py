"""Gradients of reductions: what a reduction summed, its gradient spreads."""

from ..ir import Node, Value
from ..ops import Ops
from .registry import Entries, composite_gradient, gradient


@gradient("ReduceSum")
def reduce_sum(op: Ops, node: Node, dy: Value) -> Entries:
    """y = Σ x:  dx = dy, spread over the summed axes"""
    return spread(op, node, dy), *(None for _ in node.inputs[1:])


@composite_gradient("ReduceToShape")
def reduce_to_shape(op: Ops, node: Node, dy: Value) -> Entries:
    """A sum over broadcast axes: dx = dy, broadcast again"""
    return op.Expand(dy, op.Shape(node.inputs[0])), None


def spread(op: Ops, node: Node, y: Value) -> Value:
    """Broadcast a reduction's output, or its gradient, to the shape of its input.

    Without keepdims the reduced axes are put back first. No axes (or empty ones, unless
    noop_with_empty_axes) means all axes.
    """
    x, *rest = node.inputs
    axes = rest[0] if rest else None
    if not node.attributes.get("keepdims", 1):
        y = _with_reduced_axes(op, node, x, axes, y)
    return op.Expand(y, op.Shape(x))


def _with_reduced_axes(op: Ops, node: Node, x: Value | None, axes: Value | None, y: Value) -> Value:
    noop = node.attributes.get("noop_with_empty_axes", 0)
    if axes is not None and axes.shape is not None and isinstance(axes.shape[0], int):
        if axes.shape[0] or noop:
            return op.Unsqueeze(y, axes) if axes.shape[0] else y
    elif axes is not None:
        ones = op.Expand(op.constant([1]), op.Shape(op.Shape(x)))
        kept = op.ScatterElements(op.Shape(x), axes, op.Expand(op.constant([1]), op.Shape(axes)))
        if noop:
            return op.Reshape(y, kept, allowzero=1)
        empty = op.Equal(op.Size(axes), 0)
        return op.Reshape(y, op.Where(empty, ones, kept), allowzero=1)
    assert x is not None
    return op.Reshape(y, op.Expand(op.constant([1]), op.Shape(op.Shape(x))))
