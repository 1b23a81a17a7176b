"""Forms of the gradient of a convolution by its input; see the forms by the weight beside it."""

from ..emission.ops import Ops
from ..emission.windows import (
    FAR,
    divided,
    multiplied,
    numbers,
    positions,
    reach,
    reshaped,
    size_at,
    sizes_of,
    spatial_axes,
    window,
)
from ..graph.ir import Node, Value
from ..inference.shapes import elements_of
from .registry import form

_FEW = 64
"""A matrix product with fewer columns is slow."""


@form("ConvInputGrad", "transposed")
def transposed(op: Ops, node: Node) -> Value:
    """A transposed convolution; output_padding restores what the stride left over.

    Where the image's size is symbolic and a stride is not 1, the whole transposed convolution is
    computed without padding and cut at run time: output_padding needs a number.
    """
    dy, w, x_shape = node.required(3)
    attributes = {k: node.attributes[k] for k in ("strides", "dilations", "group")}
    extra = _output_padding(node)
    if extra is not None:
        pads = node.attributes["pads"]
        added = extra if any(extra) else None
        return op.ConvTranspose(dy, w, **attributes, pads=pads, output_padding=added)
    whole = op.ConvTranspose(dy, w, **attributes)
    begins = node.attributes["pads"][: len(attributes["strides"])]
    return window(op, whole, begins, op.Slice(x_shape, [2], [FAR]))


@form("ConvInputGrad", "stuffed")
def stuffed(op: Ops, node: Node) -> Value:
    """A convolution of the stuffed gradient, with stride 1.

    dX[b,c,j] = Σ_{o,i,k : s·i + d·k − p = j} dY[b,o,i]·W[o,c,k].

    The kernel is W with batch and channels swapped and its spatial axes reversed; dY gets s − 1
    zeros between its elements and K' − 1 zeros on both sides, K' the kernel's reach. Of the result
    p elements are dropped on the left, and on the right it is cropped, or filled with zeros, to
    the length of X. With stride 1 all of that is the convolution's own padding, if p < K'.
    """
    dy, w, x_shape = node.required(3)
    sizes = op.Slice(x_shape, [2], [FAR])
    named = (node.attributes[k] for k in ("strides", "dilations", "pads", "group"))
    return stuffed_convolution(op, dy, w, sizes, *named)


def stuffed_convolution(
    op: Ops,
    dy: Value,
    w: Value,
    sizes: Value,
    strides: list[int],
    dilations: list[int],
    pads: list[int],
    group: int,
) -> Value:
    """Emit the form "stuffed": spatial `sizes` of what a transposed convolution gives."""
    rank = len(strides)
    kernel = _reversed(op, w, group, rank)
    margin = op.Sub(reach(op, sizes_of(op, w), dilations), 1)
    known = numbers(margin)
    if known is not None and all(s == 1 for s in strides):
        outer = [m - p for m, p in zip([*known, *known], pads, strict=True)]
        if min(outer) >= 0:
            return op.Conv(dy, kernel, dilations=dilations, pads=outer, group=group)
    image = _stuffed(op, dy, strides)
    image = op.Pad(image, op.Concat(margin, margin, axis=0), None, spatial_axes(rank))
    whole = op.Conv(image, kernel, dilations=dilations, group=group)
    return window(op, whole, pads[:rank], sizes)


@form("ConvInputGrad", "columns")
def columns(op: Ops, node: Node) -> Value:
    """One matrix product gives every element's share of every window; Col2Im adds them up.

    It is one for each image, or, where an image has few positions, one for all of them. With
    dilation only two spatial axes: onnxruntime 1.32 computes other dilated Col2Im wrongly, so those
    take the form "transposed".
    """
    dy, w, x_shape = node.required(3)
    if len(node.attributes["strides"]) != 2 and max(node.attributes["dilations"]) > 1:
        return transposed(op, node)
    attributes = dict(node.attributes)
    group = attributes.pop("group")
    maps = divided(op, size_at(op, w, 0), group)
    batch, count = size_at(op, dy, 0), positions(op, dy)
    rows = multiplied(op, size_at(op, w, 1), positions(op, w))
    weight = op.Transpose(reshaped(op, w, group, maps, rows), perm=[0, 2, 1])
    below = multiplied(op, rows, group)
    if group == 1 and isinstance(count, int) and count < _FEW and batch != 1:
        flat = op.Transpose(reshaped(op, dy, batch, maps, count), perm=[1, 0, 2])
        flat = reshaped(op, flat, 1, maps, multiplied(op, batch, count))
        shares = reshaped(op, op.MatMul(weight, flat), below, batch, count)
        shares = op.Transpose(shares, perm=[1, 0, 2])
    else:
        split = reshaped(op, dy, batch, group, maps, count)
        shares = reshaped(op, op.MatMul(weight, split), batch, below, count)
    sizes = op.Slice(x_shape, [2], [FAR])
    return op.Col2Im(shares, sizes, sizes_of(op, w), **attributes)


def _output_padding(node: Node) -> list[int] | None:
    """Give ConvTranspose's output_padding, (N + p − d·(K − 1) − 1) mod s; None if it is unknown."""
    dy, w, x_shape = node.required(3)
    strides, dilations = node.attributes["strides"], node.attributes["dilations"]
    pads, rank = node.attributes["pads"], len(strides)
    unknown = ("?",) * (2 + rank)
    image, kernel = elements_of(x_shape) or unknown, w.shape or unknown
    outputs = dy.shape or unknown
    result = []
    for k, stride in enumerate(strides):
        size, taps, count = image[2 + k], kernel[2 + k], outputs[2 + k]
        if stride == 1:
            result.append(0)
            continue
        if isinstance(size, str) or isinstance(taps, str):
            return None
        left = size + pads[k] + pads[rank + k] - dilations[k] * (taps - 1) - 1
        extra = left - stride * (count - 1) if isinstance(count, int) else left % stride
        if not 0 <= extra < stride:
            return None
        result.append(extra)
    return result


def _reversed(op: Ops, w: Value, group: int, rank: int) -> Value:
    """Swap batch and channels of w within each group, and turn its spatial axes around.

    w: (maps, channels / group, *) → (channels, maps / group, *).
    """
    maps, channels = divided(op, size_at(op, w, 0), group), size_at(op, w, 1)
    kernel = [size_at(op, w, axis) for axis in spatial_axes(rank)]
    taps = positions(op, w)
    split = reshaped(op, w, group, maps, multiplied(op, channels, taps))
    by_tap = op.Transpose(split, perm=[0, 2, 1])
    by_tap = reshaped(op, by_tap, multiplied(op, channels, group), taps, maps)
    if taps != 1:
        by_tap = op.Slice(by_tap, [-1], [-FAR], [1], [-1])
    return reshaped(
        op, op.Transpose(by_tap, perm=[0, 2, 1]), multiplied(op, channels, group), maps, *kernel
    )


def _stuffed(op: Ops, x: Value, steps: list[int]) -> Value:
    """Put step − 1 zeros between neighboring elements along the spatial axes, one after the other.

    So no tensor has more than one axis more than x: OpenCV takes no Pad of six.
    """
    rank = len(steps)
    if all(s == 1 for s in steps):
        return x
    ends = op.Add(op.Mul(op.Sub(sizes_of(op, x), 1), steps), 1)
    for axis, step in zip(spatial_axes(rank), steps, strict=True):
        if step == 1:
            continue
        sizes = [size_at(op, x, k) for k in range(2 + rank)]
        sizes[axis] = multiplied(op, sizes[axis], step)
        inner = op.constant([axis + 1])
        x = reshaped(op, op.Pad(op.Unsqueeze(x, inner), [0, step - 1], None, inner), *sizes)
    return op.Slice(x, [0] * rank, ends, spatial_axes(rank))
