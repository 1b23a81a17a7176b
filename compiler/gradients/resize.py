"""Gradient of Resize: along each axis it is a product with a matrix, so dx takes its transpose."""

import numpy as np

from ..differentiation.activity import Path
from ..differentiation.rules import RANKLESS, Entries, body_where, gradient
from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..emission.positions import dimension
from ..emission.resampling import crops, keeps_aspect_ratio, limiting, multiplied, resized_axes
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@body_where("Resize")
def moves_samples(node: Node, path: Path) -> bool:
    """Tell whether a gradient by what moves the samples is wanted; the body of Resize has it."""
    return node.first_input.rank is not None and any(v in path for v in _movers(node))


def _movers(node: Node) -> list[Value]:
    """Give the inputs that move the samples smoothly: scales, and the roi of a crop.

    The sizes of y are steps of them, and the nearest element of x is taken in steps.
    """
    if attribute(node, "mode") == "nearest":
        return []
    moving = node.inputs[1:3] if crops(node) else node.inputs[2:3]
    return [v for v in moving if v is not None]


@gradient("Resize")
def resize(op: Ops, node: Node, dy: Value) -> Entries:
    """y = x ×₁ R₁ ×₂ R₂ …:  dx = dy ×₁ R₁ᵀ ×₂ R₂ᵀ …, where R is what Resize makes of the identity

    So every mode, rounding and way to place samples comes from the operator itself.
    """
    x = node.first_input
    if x.rank is None:
        return dict.fromkeys([x, *_movers(node)], RANKLESS)
    axes = resized_axes(node, x.rank)
    sizes = [dimension(op, dy, axis) for axis in range(x.rank)]
    dx = dy
    for k, axis in enumerate(axes):
        if not _is_kept(node, k, axis):
            matrix = _transposed_matrix(op, node, k, axes)
            dx = multiplied(op, dx, matrix, axis, sizes)
            sizes[axis] = dimension(op, x, axis)
    return op.Reshape(dx, op.Shape(x), allowzero=1), *[None] * (len(node.inputs) - 1)


def _is_kept(node: Node, k: int, axis: int) -> bool:
    """Tell whether an axis certainly stays as it is."""
    x, y = node.first_input, node.output()
    scales = node.inputs[2] if len(node.inputs) > 2 else None
    if crops(node) or keeps_aspect_ratio(node):
        return False
    if scales is not None:
        return scales.constant is not None and bool(scales.constant[k] == 1)
    return x.shape is not None and y.shape is not None and x.shape[axis] == y.shape[axis]


def _transposed_matrix(op: Ops, node: Node, k: int, axes: list[int]) -> Value:
    """Resize the identity as an image (1, n, n, 1) along its third axis: Rᵀ of shape (n, m).

    Its columns are doubled, and the first ones taken: onnxruntime leaves an image as it is whose
    sizes stay, even where it is cropped or its scale is nearly 1. Where the aspect ratio is kept
    the image is as wide as the limiting axis, so that it gets the same scale.
    """
    (x,) = node.required(1)
    roi, scales, sizes = node.input(1), node.input(2), node.input(3)
    size, resized = dimension(op, x, axes[k]), dimension(op, node.output(), axes[k])
    crop, width = None, op.constant([1])
    if roi is not None and crops(node):
        start, end = (op.Gather(roi, [at]) for at in (k, k + len(axes)))
        zero, one = (op.constant(np.full(1, v, roi.dtype)) for v in (0, 1))
        crop = op.Concat(start, zero, end, one, axis=0)
    if sizes is not None and keeps_aspect_ratio(node):
        all_sizes = op.Gather(op.Shape(x), axes)
        decisive = limiting(op, node, all_sizes, sizes)
        width = op.Gather(all_sizes, decisive)
        sizes = op.Gather(sizes, op.Concat([k], decisive, axis=0))
    else:
        scales, sizes = (
            None if v is None else op.Concat(op.Gather(v, [k]), np.full(1, 2, v.dtype), axis=0)
            for v in (scales, sizes)
        )
    settings = dict(node.attributes) | {"axes": [2, 3], "extrapolation_value": 0.0}
    image = _identity(op, x, size, width)
    matrix = op.Slice(op.Resize(image, crop, scales, sizes, **settings), [0], [1], [3])
    return op.Reshape(matrix, op.Concat(size, resized, axis=0), allowzero=1)


def _identity(op: Ops, x: Value, size: Value, width: Value) -> Value:
    """Give an image (1, n, n, width) of the dtype of x with ones where its two n agree."""
    places = op.Range(0, op.Squeeze(size, [0]), 1)
    equal = op.Equal(op.Reshape(places, [1, -1, 1, 1]), op.Reshape(places, [1, 1, -1, 1]))
    one = op.constant([1])
    shape = op.Concat(one, size, size, width, axis=0)
    return op.Expand(cast_to(op, equal, x), shape)
