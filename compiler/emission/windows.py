"""Where the windows of convolutions and pools lie: in numbers where shapes tell, else at run time.

It emits shape arithmetic, and what moves or adds elements; the gradients' formulas are elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ..graph.ir import Node, Value
from ..graph.types import Dim
from ..inference.shapes import elements_of
from ..standard.schemas import attribute
from .ops import Ops

Sizes = Value | Sequence[int]
"""One number per spatial axis: an int64 tensor, or numbers known while compiling."""

Size = Value | int
"""One number, or an int64 tensor of one element."""

FAR = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Pool:
    """The windows of a pool without their padding: one number per spatial axis in each field."""

    kernel: list[int]
    strides: list[int]
    dilations: list[int]

    @classmethod
    def of(cls, node: Node) -> "Pool":
        """Read a pool's attributes, defaults written out."""
        kernel = list(node.attributes["kernel_shape"])
        strides = list(node.attributes.get("strides") or [1] * len(kernel))
        return cls(kernel, strides, list(node.attributes.get("dilations") or [1] * len(kernel)))


def spatial_rank(node: Node) -> int | None:
    """Give the number of spatial axes of a convolution or pool, None where nothing tells it."""
    for name in ("kernel_shape", "strides", "dilations"):
        if name in node.attributes:
            return len(node.attributes[name])
    values = [*node.inputs[:2], *node.outputs[:1]]
    ranks = [v.rank for v in values if v is not None and v.rank is not None]
    return ranks[0] - 2 if ranks else None


def spatial_axes(rank: int) -> list[int]:
    """List the spatial axes of a tensor (batch, channels, *spatial)."""
    return list(range(2, 2 + rank))


def numbers(sizes: Value | Sequence[Dim]) -> list[int] | None:
    """Give sizes as a list where all of them are known while compiling."""
    elements = (elements_of(sizes) or ("?",)) if isinstance(sizes, Value) else sizes
    known = [e for e in elements if isinstance(e, int)]
    return known if len(known) == len(elements) else None


def sizes_of(op: Ops, x: Value) -> Value:
    """Give the spatial sizes of x: (batch, channels, *spatial)."""
    return op.Shape(x, start=2)


def reach(op: Ops, kernel: Sizes, dilations: Sequence[int]) -> Value:
    """Give what a kernel spans: dilation·(kernel − 1) + 1."""
    return op.Add(op.Mul(op.Sub(op.value(kernel), 1), list(dilations)), 1)


def covered(op: Ops, outputs: Sizes, span: Sizes, strides: Sequence[int]) -> Value:
    """Give what all windows together cover: stride·(outputs − 1) + span."""
    first = op.Mul(op.Sub(op.value(outputs), 1), list(strides))
    return op.Add(first, op.value(span))


def halves(op: Ops, total: Value, upper: bool) -> tuple[Value, Value]:
    """Split padding into begins and ends; an odd one goes to the end where `upper`."""
    small = op.Div(total, 2)
    large = op.Sub(total, small)
    return (small, large) if upper else (large, small)


def same_padding(
    op: Ops, sizes: Value, span: Value, strides: Sequence[int], upper: bool
) -> tuple[Value, Value]:
    """Give the padding of auto_pad SAME: so much that there are ceil(size / stride) windows."""
    count = op.Div(op.Add(sizes, [stride - 1 for stride in strides]), list(strides))
    needed = op.Sub(covered(op, count, span, strides), sizes)
    return halves(op, op.Max(needed, op.constant([0])), upper)


def padding(
    op: Ops,
    node: Node,
    x: Value,
    kernel: Sizes,
    strides: Sequence[int],
    dilations: Sequence[int],
) -> tuple[Sizes, Sizes]:
    """Give the padding of a Conv or pool along its spatial axes, before and after."""
    rank = len(strides)
    mode = attribute(node, "auto_pad") or "NOTSET"
    if mode.startswith("SAME"):
        span = reach(op, kernel, dilations)
        return same_padding(op, sizes_of(op, x), span, strides, mode == "SAME_UPPER")
    pads = node.attributes.get("pads") or [0] * (2 * rank)
    pads = pads if mode == "NOTSET" else [0] * (2 * rank)
    return list(pads[:rank]), list(pads[rank:])


def window(op: Ops, x: Value, starts: Sizes, sizes: Sizes) -> Value:
    """Give x[start : start + size] along the spatial axes, zero where that lies outside of x.

    Emits only what is needed: a Pad unless it is known to add nothing, a Slice likewise.
    """
    starts, sizes = op.value(starts), op.value(sizes)
    ends = op.Add(starts, sizes)
    zero = op.constant([0])
    before = op.Max(op.Neg(starts), zero)
    after = op.Max(op.Sub(ends, sizes_of(op, x)), zero)
    rank = len(elements_of(before) or elements_of(after) or elements_of(sizes) or ())
    axes = spatial_axes(rank or _length(starts, sizes) or x.known_rank - 2)
    added = op.Concat(before, after, axis=0)
    if any(numbers(added) or [1]):
        x = op.Pad(x, added, None, op.constant(axes))
    begins = op.Add(starts, before)
    whole = not any(numbers(begins) or [1]) and elements_of(sizes) == elements_of(sizes_of(op, x))
    if not whole or elements_of(sizes) is None:
        x = op.Slice(x, begins, op.Add(begins, sizes), op.constant(axes))
    return x


def _length(*vectors: Value) -> int:
    lengths = [v.shape[0] for v in vectors if v.shape and isinstance(v.shape[0], int)]
    return max(lengths, default=0)


def size_at(op: Ops, x: Value, axis: int) -> Size:
    """Give one size of x, as a number where it is known while compiling."""
    if x.shape is not None and isinstance(x.shape[axis], int):
        return int(x.shape[axis])
    return op.Shape(x, start=axis, end=axis + 1)


def positions(op: Ops, x: Value) -> Size:
    """Give the number of spatial positions of x: the product of its spatial sizes."""
    sizes = sizes_of(op, x)
    known = numbers(sizes)
    return prod(known) if known is not None else op.ReduceProd(sizes, keepdims=1)


def divided(op: Ops, size: Size, divisor: int) -> Size:
    """Divide a size by a number that divides it."""
    if isinstance(size, int):
        return size // divisor
    return op.Div(size, [divisor])


def multiplied(op: Ops, size: Size, factor: Size) -> Size:
    """Multiply two sizes."""
    if isinstance(size, int) and isinstance(factor, int):
        return size * factor
    return op.Mul(op.value(_vector(size)), op.value(_vector(factor)))


def reshaped(op: Ops, x: Value, *sizes: Size) -> Value:
    """Reshape x; one size that is unknown while compiling is left to Reshape to find."""
    unknown = [s for s in sizes if isinstance(s, Value)]
    if len(unknown) > 1:
        target = op.Concat(*(op.value(_vector(s)) for s in sizes), axis=0)
        return _reshape(op, x, target, allowzero=1)
    target = op.constant([-1 if isinstance(s, Value) else s for s in sizes])
    return _reshape(op, x, target, allowzero=0 if unknown else 1)


def _reshape(op: Ops, x: Value, target: Value, allowzero: int) -> Value:
    return op.Reshape(x, target, allowzero=allowzero)


def _vector(size: Size) -> Value | list[int]:
    return [size] if isinstance(size, int) else size


def spread(op: Ops, dy: Value, x_shape: Value, begins: Sizes, pool: Pool) -> Value:
    """Add each element of dy to its whole window in zeros of x_shape: the adjoint of a sum pool.

    Each channel of each image is an image of its own for a moment, whose kernel is all ones.
    """
    rank, sizes = len(pool.kernel), op.Slice(x_shape, [2], [FAR])
    images = multiplied(op, size_at(op, dy, 0), size_at(op, dy, 1))
    single = reshaped(op, dy, images, 1, *(size_at(op, dy, axis) for axis in spatial_axes(rank)))
    ones = op.constant(np.ones((1, 1, *pool.kernel)), dy.dtype)
    attributes = {"strides": pool.strides, "dilations": pool.dilations}
    span = reach(op, pool.kernel, pool.dilations)
    missing = op.Sub(covered(op, sizes_of(op, dy), span, pool.strides), sizes)
    after = op.Sub(missing, op.value(begins))
    before, ends = numbers(begins), numbers(after)
    if (
        before is not None
        and ends is not None
        and all(-s < e for s, e in zip(pool.strides, ends, strict=True))
    ):
        attributes["pads"] = [*before, *(max(e, 0) for e in ends)]
        attributes["output_padding"] = [max(-e, 0) for e in ends]
        found = op.ConvTranspose(single, ones, **attributes)
    else:
        found = window(op, op.ConvTranspose(single, ones, **attributes), begins, sizes)
    return op.Reshape(found, x_shape, allowzero=1)


def window_counts(
    op: Ops, outputs: Value, begins: Sizes, low: Value, high: Value, pool: Pool, dtype: np.dtype
) -> Value:
    """Count for each window its elements at positions of the image from `low` up to `high`."""
    rank = len(pool.kernel)
    begins = op.value(begins)
    counts = []
    for k, (taps, stride, dilation) in enumerate(
        zip(pool.kernel, pool.strides, pool.dilations, strict=True)
    ):
        first, count, least, most = (
            op.Gather(v, op.constant(k)) for v in (begins, outputs, low, high)
        )
        starts = op.Sub(op.Mul(op.Range(0, count, 1), stride), first)
        at = op.Add(op.Unsqueeze(starts, [1]), [t * dilation for t in range(taps)])
        inside = op.And(op.GreaterOrEqual(at, least), op.Less(at, most))
        total = op.ReduceSum(op.Cast(inside, to="int64"), [1], keepdims=1)
        counts.append(op.Reshape(total, [-1] + [1] * (rank - 1 - k)))
    result = counts[0]
    for count in counts[1:]:
        result = op.Mul(result, count)
    return op.Cast(result, to=dtype)
