"""Gradients of operators on images that are linear in them."""

from ..differentiation.rules import Entries, gradient
from ..emission.ops import Ops
from ..emission.positions import dimension, product, strides_of, unravelled
from ..graph.ir import Node, Value


@gradient("Col2Im")
def col_to_im(op: Ops, node: Node, dy: Value) -> Entries:
    """Sums columns into an image, so dx reads the columns back: zero where a block leaves it

    dx[n, (c, k), l] = dy[n, c, place(k, l)], the place being l·stride + k·dilation − pad per axis.
    """
    x, image_shape, block_shape = node.required(3)
    places, inside = _block_places(op, node, image_shape, block_shape)
    pixels = product(op, image_shape)
    batch, channels = (dimension(op, dy, axis) for axis in (0, 1))
    flat = op.Reshape(dy, op.Concat(batch, channels, pixels, axis=0), allowzero=1)
    with_zero = op.Pad(flat, [0, 1], None, [2])
    columns = op.Gather(with_zero, op.Where(inside, places, pixels), axis=2)
    return op.Reshape(columns, op.Shape(x), allowzero=1), None, None


def _block_places(
    op: Ops, node: Node, image_shape: Value, block_shape: Value
) -> tuple[Value, Value]:
    """Give which pixel of the flattened image each (k, l) is, and whether it is in the image."""
    stride = op.constant(node.attributes.get("strides") or [1])
    dilation = op.constant(node.attributes.get("dilations") or [1])
    pads = node.attributes.get("pads") or [0, 0]
    before, after = (op.constant(p) for p in (pads[: len(pads) // 2], pads[len(pads) // 2 :]))
    reach = op.Add(op.Mul(dilation, op.Sub(block_shape, 1)), 1)
    padded = op.Add(image_shape, op.Add(before, after))
    blocks = op.Add(op.Div(op.Sub(padded, reach), stride), 1)
    starts = op.Sub(op.Mul(unravelled(op, blocks), stride), before)
    offsets = op.Mul(unravelled(op, block_shape), dilation)
    at = op.Add(op.Unsqueeze(offsets, [1]), op.Unsqueeze(starts, [0]))
    valid = op.And(op.GreaterOrEqual(at, 0), op.Less(at, image_shape))
    inside = op.ReduceMin(op.Cast(valid, to="int32"), [-1], keepdims=0)
    places = op.ReduceSum(op.Mul(at, strides_of(op, image_shape)), [-1], keepdims=0)
    return places, op.Equal(inside, 1)
