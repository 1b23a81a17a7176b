"""Gradient of Resize: along each axis it is a product with a matrix, so dx takes its transpose."""

import numpy as np

from ..accumulation import cast_to
from ..ir import Node, Value
from ..ops import Ops
from .positions import dimension, first_input, product
from .registry import Entries, Refused, gradient

FLOAT = 1
"""TensorProto.FLOAT."""

KEEPING = ("not_larger", "not_smaller")
"""Policies under which one axis, the limiting one, decides the scale of all."""


@gradient("Resize")
def resize(op: Ops, node: Node, dy: Value) -> Entries:
    """y = x ×₁ R₁ ×₂ R₂ …:  dx = dy ×₁ R₁ᵀ ×₂ R₂ᵀ …, where R is what Resize makes of the identity

    So every mode, rounding and way to place samples comes from the operator itself.
    """
    x = first_input(node)
    rest = _inputs_without_gradient(node)
    if x.rank is None:
        return Refused("the rank of its input is unknown"), *rest
    axes = [axis % x.rank for axis in node.attributes.get("axes") or range(x.rank)]
    sizes = [dimension(op, dy, axis) for axis in range(x.rank)]
    dx = dy
    for k, axis in enumerate(axes):
        if not _is_kept(node, k, axis):
            matrix = _transposed_matrix(op, node, k, axes)
            dx = _multiplied(op, dx, matrix, axis, sizes)
            sizes[axis] = dimension(op, x, axis)
    return op.Reshape(dx, op.Shape(x), allowzero=1), *rest


def _inputs_without_gradient(node: Node) -> list[Refused | None]:
    """Give the entries of roi, scales and sizes: they move samples, which only nearest ignores."""
    if node.attributes.get("mode", "nearest") == "nearest":
        return [None] * (len(node.inputs) - 1)
    reason = "ONNX declares it not differentiable; make it a constant"
    crops = _crops(node)
    return [Refused(reason) if crops or k else None for k in range(len(node.inputs) - 1)]


def _crops(node: Node) -> bool:
    transform = node.attributes.get("coordinate_transformation_mode")
    return bool(transform == "tf_crop_and_resize")


def _is_kept(node: Node, k: int, axis: int) -> bool:
    """Tell whether an axis certainly stays as it is."""
    x, y = node.inputs[0], node.outputs[0]
    assert x is not None and y is not None
    scales = node.inputs[2] if len(node.inputs) > 2 else None
    if _crops(node) or node.attributes.get("keep_aspect_ratio_policy") in KEEPING:
        return False
    if scales is not None:
        return scales.constant is not None and bool(scales.constant[k] == 1)
    return x.shape is not None and y.shape is not None and x.shape[axis] == y.shape[axis]


def _transposed_matrix(op: Ops, node: Node, k: int, axes: list[int]) -> Value:
    """Resize the identity as an image (1, n, n, 1) along its third axis: Rᵀ of shape (n, m).

    Where the aspect ratio is kept the image is as wide as the limiting axis and resized along both,
    so that it gets the same scale; its columns are equal, and the first one is taken.
    """
    x, roi, scales, sizes = [*node.inputs, None, None, None][:4]
    y = node.outputs[0]
    assert x is not None and y is not None
    size, resized = dimension(op, x, axes[k]), dimension(op, y, axes[k])
    settings = dict(node.attributes) | {"axes": [2], "extrapolation_value": 0.0}
    width = op.constant([1])
    chosen = op.constant([k])
    crop = None
    if roi is not None and _crops(node):
        crop = op.Gather(roi, [k, k + len(axes)])
    if sizes is not None and node.attributes.get("keep_aspect_ratio_policy") in KEEPING:
        all_sizes = op.Gather(op.Shape(x), axes)
        limiting = _limiting(op, node, sizes, all_sizes)
        settings["axes"] = [2, 3]
        width = op.Gather(all_sizes, limiting)
        chosen = op.Concat(chosen, limiting, axis=0)
        if crop is not None:
            start, end = op.Split(crop, num_outputs=2)
            zero, one = (op.constant(np.full(1, v, crop.dtype)) for v in (0, 1))
            crop = op.Concat(start, zero, end, one, axis=0)
    image = _identity(op, x, size, width)
    scales, sizes = (None if v is None else op.Gather(v, chosen) for v in (scales, sizes))
    matrix = op.Slice(op.Resize(image, crop, scales, sizes, **settings), [0], [1], [3])
    result: Value = op.Reshape(matrix, op.Concat(size, resized, axis=0), allowzero=1)
    return result


def _identity(op: Ops, x: Value, size: Value, width: Value) -> Value:
    """Give an image (1, n, n, width) of the dtype of x with ones where its two n agree."""
    places = op.Range(0, op.Squeeze(size, [0]), 1)
    equal = op.Equal(op.Reshape(places, [1, -1, 1, 1]), op.Reshape(places, [1, 1, -1, 1]))
    one = op.constant([1])
    shape = op.Concat(one, size, size, width, axis=0)
    result: Value = op.Expand(cast_to(op, equal, x), shape)
    return result


def _limiting(op: Ops, node: Node, sizes: Value, all_sizes: Value) -> Value:
    """Give which of the axes decides the scale: the least ratio, or the greatest; shape (1,)."""
    ratios = op.Div(op.Cast(sizes, to=FLOAT), op.Cast(all_sizes, to=FLOAT))
    smallest = node.attributes["keep_aspect_ratio_policy"] == "not_larger"
    find = op.ArgMin if smallest else op.ArgMax
    result: Value = find(ratios, axis=0, keepdims=1)
    return result


def _multiplied(op: Ops, x: Value, matrix: Value, axis: int, sizes: list[Value]) -> Value:
    """Multiply a matrix (n, m) onto an axis of m elements of x, whose sizes are given."""
    before, after = sizes[:axis], sizes[axis + 1 :]
    size, resized = dimension(op, matrix, 0), sizes[axis]
    outer, inner = (_product(op, dims) for dims in (before, after))
    if after:
        parts = op.Reshape(x, op.Concat(outer, resized, inner, axis=0), allowzero=1)
        multiplied = op.MatMul(matrix, parts)
    else:
        parts = op.Reshape(x, op.Concat(outer, resized, axis=0), allowzero=1)
        multiplied = op.MatMul(parts, op.Transpose(matrix, perm=[1, 0]))
    result: Value = op.Reshape(multiplied, op.Concat(*before, size, *after, axis=0), allowzero=1)
    return result


def _product(op: Ops, dims: list[Value]) -> Value:
    return product(op, op.Concat(*dims, axis=0)) if dims else op.constant([1])
