"""Where the windows of convolutions and pools lie: in numbers where shapes tell, else at run time.

It emits shape arithmetic, Pad and Slice only; what happens inside a window is the callers' work.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from .ir import Node, Value
from .ops import Ops
from .shapes import elements_of
from .types import Dim

Sizes = Value | Sequence[int]
"""One number per spatial axis: an int64 tensor, or numbers known while compiling."""

Size = Value | int
"""One number, or an int64 tensor of one element."""

FAR = np.iinfo(np.int64).max


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
    last = op.Div(op.Sub(sizes, 1), list(strides))
    needed = op.Sub(op.Add(op.Mul(last, list(strides)), span), sizes)
    return halves(op, op.Max(needed, op.constant([0])), upper)


def padding(
    op: Ops, node: Node, x: Value, span: Value, strides: Sequence[int]
) -> tuple[Sizes, Sizes]:
    """Give the padding of a Conv or pool along its spatial axes, before and after."""
    rank = len(strides)
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode.startswith("SAME"):
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
    axes = spatial_axes(rank or _length(starts, sizes))
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
    return max(lengths)


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
