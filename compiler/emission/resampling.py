"""What the rule and the body of Resize share: products along an axis, which axis decides."""

from ..graph.ir import Node, Value
from .ops import Ops
from .positions import dimension, product


def resized_axes(node: Node, rank: int) -> list[int]:
    """Give the axes that a Resize is about, in the order of its scales."""
    return [axis % rank for axis in node.attributes.get("axes") or range(rank)]


def crops(node: Node) -> bool:
    """Tell whether a Resize reads its roi."""
    transform = node.attributes.get("coordinate_transformation_mode")
    return bool(transform == "tf_crop_and_resize")


def keeps_aspect_ratio(node: Node) -> bool:
    """Tell whether one axis, the limiting one, decides the scale of all."""
    policy = node.attributes.get("keep_aspect_ratio_policy")
    return policy in ("not_larger", "not_smaller")


def limiting(op: Ops, node: Node, before: Value, sizes: Value) -> Value:
    """Give which of the axes decides the scale: the least ratio, or the greatest; shape (1,)."""
    ratios = op.Div(op.Cast(sizes, to="float32"), op.Cast(before, to="float32"))
    smallest = node.attributes["keep_aspect_ratio_policy"] == "not_larger"
    find = op.ArgMin if smallest else op.ArgMax
    return find(ratios, axis=0, keepdims=1)


def multiplied(op: Ops, x: Value, matrix: Value, axis: int, sizes: list[Value]) -> Value:
    """Multiply a matrix (m, n) onto an axis of n elements of x, whose sizes are given."""
    before, after = sizes[:axis], sizes[axis + 1 :]
    size, resized = sizes[axis], dimension(op, matrix, 0)
    outer, inner = (_product(op, dims) for dims in (before, after))
    if after:
        parts = op.Reshape(x, op.Concat(outer, size, inner, axis=0), allowzero=1)
        result = op.MatMul(matrix, parts)
    else:
        parts = op.Reshape(x, op.Concat(outer, size, axis=0), allowzero=1)
        result = op.MatMul(parts, op.Transpose(matrix, perm=[1, 0]))
    shape = op.Concat(*before, resized, *after, axis=0)
    return op.Reshape(result, shape, allowzero=1)


def _product(op: Ops, dims: list[Value]) -> Value:
    return product(op, op.Concat(*dims, axis=0)) if dims else op.constant([1])
