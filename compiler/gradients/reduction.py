"""Gradients of reductions: what a reduction gathered over some axes, its gradient spreads.

Where elements tie for a maximum or minimum they share its gradient in equal parts.
"""

import numpy as np

from ..differentiation.rules import Entries, composite_gradient, gradient
from ..emission.accumulation import accumulate, cast_to
from ..emission.ops import Ops
from ..emission.positions import numbered, product
from ..graph.dims import divide, multiply
from ..graph.ir import Node, Value
from ..graph.types import TensorType
from ..standard.schemas import attribute


def _by_first(node: Node, dx: Value) -> Entries:
    return dx, *(None for _ in node.inputs[1:])


@gradient("ReduceSum")
def reduce_sum(op: Ops, node: Node, dy: Value) -> Entries:
    """y = Σ x:  dx = dy, spread over the summed axes"""
    return _by_first(node, spread(op, node, dy))


@composite_gradient("ReduceToShape")
def reduce_to_shape(op: Ops, node: Node, dy: Value) -> Entries:
    """A sum over broadcast axes: dx = dy, broadcast again"""
    return op.Expand(dy, op.Shape(node.inputs[0])), None


@gradient("ReduceMean")
def reduce_mean(op: Ops, node: Node, dy: Value) -> Entries:
    """y = Σ x / n:  dx = dy/n"""
    share = _inverse_count(op, node.first_input, node.output())
    return _by_first(node, spread(op, node, op.Mul(dy, share)))


def _inverse_count(op: Ops, x: Value, y: Value) -> Value:
    """Give 1/n for the n elements of x that each element of y was made of."""
    if x.shape is not None and y.shape is not None:
        count = divide(multiply(x.shape), multiply(y.shape))
        if isinstance(count, int) and count:
            return op.like(1 / count, x)
    # the sizes may exceed what half precision can hold, their ratio may not
    wide = "float64" if x.dtype == "float64" else "float32"
    sizes = [op.Cast(op.Size(v), to=wide) for v in (x, y)]
    # no division of 1: onnxruntime 1.32 breaks a graph when it merges one with a product by 1
    return cast_to(op, op.Reciprocal(op.Div(*sizes)), x)


@gradient("ReduceSumSquare", widens=True)
def reduce_sum_square(op: Ops, node: Node, dy: Value) -> Entries:
    """y = Σ x²:  dx = 2x·dy"""
    scaled = op.Mul(node.first_input, 2.0)
    return _by_first(node, op.Mul(with_axes(op, node, dy), scaled))


@gradient("ReduceL1")
def reduce_l1(op: Ops, node: Node, dy: Value) -> Entries:
    """y = Σ |x|:  dx = sign(x)·dy"""
    return _by_first(node, op.Mul(with_axes(op, node, dy), op.Sign(node.first_input)))


@gradient("ReduceL2", widens=True)
def reduce_l2(op: Ops, node: Node, dy: Value) -> Entries:
    """y = √Σ x²:  dx = x·dy/y, 0 where all x are 0 (no second derivative there: NaN)"""
    (y,) = node.outputs
    inverse = op.Where(op.Equal(y, 0), 0.0, op.Reciprocal(y))
    return _by_first(node, op.Mul(with_axes(op, node, op.Mul(dy, inverse)), node.first_input))


@gradient("ReduceLogSum", widens=True)
def reduce_log_sum(op: Ops, node: Node, dy: Value) -> Entries:
    """y = ln Σ x:  dx = dy/Σ x; not dy·e⁻ʸ, for y is rounded"""
    total = op.ReduceSum(*node.inputs, **node.attributes)
    return _by_first(node, spread(op, node, op.Div(dy, total)))


@gradient("ReduceLogSumExp", widens=True)
def reduce_log_sum_exp(op: Ops, node: Node, dy: Value) -> Entries:
    """y = ln Σ eˣ:  dx = dy·eᵘ/Σ eᵘ with u = x − y, and 0 where every x is −∞

    Σ eᵘ is 1 but for the rounding of y, which is as large as 4 at x = 10⁸ in float32.
    """
    y = node.output()
    shift = with_axes(op, node, op.Where(op.Equal(y, -np.inf), 0.0, y))
    powers = op.Exp(op.Sub(node.first_input, shift))
    total = op.ReduceSum(powers, *node.inputs[1:], **node.attributes)
    share = op.Div(dy, op.Where(op.Equal(total, 0), 1.0, total))
    return _by_first(node, op.Mul(with_axes(op, node, share), powers))


@gradient("ReduceMax", "ReduceMin", widens=True)
def reduce_extremum(op: Ops, node: Node, dy: Value) -> Entries:
    """The elements equal to y get dy, in equal parts"""
    x, y = node.first_input, node.output()
    chosen = op.Equal(x, with_axes(op, node, y))
    ties = op.ReduceSum(op.Cast(chosen, to="float32"), *node.inputs[1:], **node.attributes)
    share = op.Div(dy, cast_to(op, ties, x))
    return _by_first(node, op.Where(chosen, with_axes(op, node, share), 0.0))


@gradient("ReduceProd", widens=True)
def reduce_prod(op: Ops, node: Node, dy: Value) -> Entries:
    """y = Π x:  dxᵢ = dy·Π xⱼ over the others, zeros among them or not"""
    x = node.first_input
    others = _product_of_others(op, x, kept_shape(op, node))
    return _by_first(node, op.Mul(with_axes(op, node, dy), others))


@composite_gradient("ProductOfOthers")
def product_of_others(op: Ops, node: Node, dy: Value) -> Entries:
    """Row k of a matrix of products leaves out element k; each row is a ReduceProd to differentiate

    With n elements in a product this takes n times their memory, but is exact at zeros too.
    """
    x, kept = node.required(2)
    within = op.Where(op.Equal(kept, 1), op.Shape(x), 1)  # 1 on the axes that stay
    count = product(op, within)
    ones = op.Expand(op.constant([1]), op.Shape(kept))
    rows = op.Reshape(op.Range(0, op.Squeeze(count, [0]), 1), op.Concat(count, ones, axis=0))
    left_out = op.Equal(rows, numbered(op, within))
    matrix = op.Where(left_out, 1.0, x)
    kept = op.Concat(count, kept, axis=0)
    row_types = [TensorType(dy.dtype, None)]
    dy = op.composite("ReduceToShape", op.Where(left_out, dy, 0.0), kept, types=row_types)
    by_element = op.Mul(dy, _product_of_others(op, matrix, kept))
    return accumulate(op, op.Where(left_out, 0.0, by_element), [0], keepdims=0), None


def _product_of_others(op: Ops, x: Value, kept: Value) -> Value:
    return op.composite("ProductOfOthers", x, kept, types=[x.type])


def spread(op: Ops, node: Node, y: Value) -> Value:
    """Broadcast a reduction's output, or its gradient, to the shape of its input."""
    return op.Expand(with_axes(op, node, y), op.Shape(node.inputs[0]))


def with_axes(op: Ops, node: Node, y: Value) -> Value:
    """Put the reduced axes back into a reduction's output, each of size 1."""
    if attribute(node, "keepdims"):
        return y
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    if axes is not None and axes.constant is not None and axes.constant.size:
        return op.Unsqueeze(y, axes)
    return op.Reshape(y, kept_shape(op, node), allowzero=1)


def kept_shape(op: Ops, node: Node) -> Value:
    """Give the shape that a reduction's output has with keepdims=1.

    No axes, or empty ones, mean all axes, unless noop_with_empty_axes says none.
    """
    if attribute(node, "keepdims"):
        return op.Shape(node.outputs[0])
    noop = attribute(node, "noop_with_empty_axes")
    shape = op.Shape(node.inputs[0])
    axes = node.inputs[1] if len(node.inputs) > 1 else None
    none_kept = op.Expand(op.constant([1]), op.Shape(shape))
    if axes is None:
        return shape if noop else none_kept
    kept = op.ScatterElements(shape, axes, op.Expand(op.constant([1]), op.Shape(axes)))
    if noop or (axes.shape and isinstance(axes.shape[0], int) and axes.shape[0]):
        return kept
    return op.Where(op.Equal(op.Size(axes), 0), none_kept, kept)
