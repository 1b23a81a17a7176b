"""Forms of the gradient of a convolution by its weight.

dW[o,c,k] = Σ dY[b,o,i]·X[b,c, s·i + d·k − p]. All give the same; they differ in speed from shape to
shape, and in what a runtime can run. Forms that write the kernel's taps out fall back on "derived"
where the kernel's size is symbolic.
"""

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from ..emission.accumulation import accumulate
from ..emission.ops import Ops
from ..emission.windows import (
    FAR,
    Size,
    covered,
    divided,
    multiplied,
    numbers,
    positions,
    reshaped,
    size_at,
    sizes_of,
    spatial_axes,
    window,
)
from ..graph.ir import Node, Value
from ..inference.shapes import elements_of
from .registry import form

MANY_TAPS = 64
"""A kernel with more elements is neither unfolded nor written out tap by tap."""


@form("ConvWeightGrad", "unfold")
def unfold(op: Ops, node: Node) -> Value:
    """Unfold X into its windows by a convolution with an identity kernel; one matrix product.

    One image and one group have no axes of their own. The product gives a weight for each image:
    where these weigh more than the windows, for there are more maps than positions, all images
    meet in one product, see `rows`. Of a kernel with many elements the windows weigh as many times
    what X does, and the identity's products take that many again: a convolution keeps none.
    """
    kernel = _kernel(node)
    if kernel is None or prod(kernel) > MANY_TAPS:
        return derived(op, node)
    if _weights_outweigh_windows(node):
        return rows(op, node)
    dy, x, w_shape, group = _parts(node)
    batch, maps = size_at(op, dy, 0), divided(op, size_at(op, dy, 1), group)
    below = multiplied(op, divided(op, size_at(op, x, 1), group), prod(kernel))
    count = positions(op, dy)
    leading = [size for size in (batch, group) if not isinstance(size, int) or size != 1]
    columns = reshaped(op, _unfolded(op, node, x, kernel), *leading, below, count)
    by_map = reshaped(op, dy, *leading, maps, count)
    if leading:
        order = [*range(len(leading)), len(leading) + 1, len(leading)]
        found = op.MatMul(by_map, op.Transpose(columns, perm=order))
        found = found if batch == 1 else accumulate(op, found, [0], keepdims=0)
    else:
        found = op.Gemm(by_map, columns, transB=1)
    return op.Reshape(found, w_shape, allowzero=1)


@form("ConvWeightGrad", "derived")
def derived(op: Ops, node: Node) -> Value:
    """A convolution again: X by dY, batch and channels of both swapped, stride and dilation too.

    Where the stride does not divide the kernel's reach, it gives more than K positions: cropped.
    Groups of channels of X become groups of channels of its swapped batch. A dY without positions
    gets one of zeros: no runtime takes a kernel of size 0, and onnxruntime 1.32 hangs.
    """
    dy, x, w_shape, group = _parts(node)
    rank = len(node.attributes["strides"])
    dy = _with_positions(op, dy, rank)
    swap = [1, 0, *spatial_axes(rank)]
    if group == 1:
        image = op.Transpose(x, perm=swap)
    else:
        batch, channels = size_at(op, x, 0), divided(op, size_at(op, x, 1), group)
        sizes = [size_at(op, x, axis) for axis in spatial_axes(rank)]
        split = reshaped(op, x, batch, group, channels, *sizes)
        split = op.Transpose(split, perm=[2, 1, 0, *range(3, 3 + rank)])
        image = reshaped(op, split, channels, multiplied(op, batch, group), *sizes)
    found = op.Conv(
        image,
        op.Transpose(dy, perm=swap),
        strides=node.attributes["dilations"],
        dilations=node.attributes["strides"],
        pads=node.attributes["pads"],
        group=group,
    )
    found = op.Transpose(found, perm=swap)
    return window(op, found, [0] * rank, op.Slice(w_shape, [2], [2 + rank]))


def _with_positions(op: Ops, dy: Value, rank: int) -> Value:
    sizes = sizes_of(op, dy)
    known = elements_of(sizes)
    if known is not None and all(isinstance(n, int) and n > 0 for n in known):
        return dy
    missing = op.Max(op.Sub(1, sizes), 0)
    pads = op.Concat(op.constant(np.zeros(rank, np.int64)), missing, axis=0)
    return op.Pad(dy, pads, None, op.constant(spatial_axes(rank)))


@form("ConvWeightGrad", "taps")
def taps(op: Ops, node: Node) -> Value:
    """One matrix product for each tap of the kernel, channels first; no windows are kept."""
    kernel = _kernel(node)
    if kernel is None:
        return derived(op, node)
    _, x, w_shape, group = _parts(node)
    by_map, count = _maps_first(op, node)
    leading = [group] if group > 1 else []
    channels = divided(op, size_at(op, x, 1), group)
    found = []
    for part in _met_channels_first(op, node, x, kernel):
        met = reshaped(op, part, *leading, channels, count)
        if group > 1:
            weight = op.MatMul(by_map, op.Transpose(met, perm=[0, 2, 1]))
        else:
            weight = op.Gemm(by_map, met, transB=1)
        found.append(op.Unsqueeze(weight, [-1]))
    return op.Reshape(op.Concat(*found, axis=-1), w_shape, allowzero=1)


@form("ConvWeightGrad", "columns")
def columns(op: Ops, node: Node) -> Value:
    """One matrix product of dY with all taps side by side, channels last."""
    kernel = _kernel(node)
    if kernel is None:
        return derived(op, node)
    by_map, met = _channels_last(op, node, kernel)
    found = op.MatMul(by_map, op.Concat(*met, axis=-1))
    return _channels_before_taps(op, node, found, kernel)


@form("ConvWeightGrad", "rows")
def rows(op: Ops, node: Node) -> Value:
    """One matrix product of dY with all taps below each other, channels first."""
    kernel = _kernel(node)
    if kernel is None:
        return derived(op, node)
    _, x, w_shape, group = _parts(node)
    by_map, count = _maps_first(op, node)
    met = [
        reshaped(op, part, size_at(op, x, 1), 1, count)
        for part in _met_channels_first(op, node, x, kernel)
    ]
    stacked = op.Concat(*met, axis=1)
    below = multiplied(op, divided(op, size_at(op, x, 1), group), prod(kernel))
    if group > 1:
        stacked = reshaped(op, stacked, group, below, count)
        found = op.MatMul(by_map, op.Transpose(stacked, perm=[0, 2, 1]))
    else:
        found = op.Gemm(by_map, reshaped(op, stacked, below, count), transB=1)
    return op.Reshape(found, w_shape, allowzero=1)


def _parts(node: Node) -> tuple[Value, Value, Value, int]:
    dy, x, w_shape = node.required(3)
    return dy, x, w_shape, node.attributes["group"]


def _kernel(node: Node) -> list[int] | None:
    """Give the kernel's spatial sizes where they are known while compiling."""
    return numbers((elements_of(node.inputs[2]) or ("?", "?", "?"))[2:])


def _weights_outweigh_windows(node: Node) -> bool:
    """Tell whether a weight for each image certainly has more elements than all windows."""
    images, *sizes = node.first_input.shape or ("?",)
    known = numbers(sizes)
    if not known or images == 1:
        return False
    maps, *positions = known
    return bool(maps > node.attributes["group"] * prod(positions))


def _unfolded(op: Ops, node: Node, x: Value, kernel: list[int]) -> Value:
    """Give the windows of x; each channel of each image is an image of its own for a moment.

    A kernel of one element needs no convolution.
    """
    strides, pads = node.attributes["strides"], node.attributes["pads"]
    rank, size = len(kernel), prod(kernel)
    axes = spatial_axes(rank)
    if size == 1 and not any(pads):
        if all(s == 1 for s in strides):
            return x
        return op.Slice(x, [0] * rank, [FAR] * rank, axes, strides)
    identity = op.constant(np.eye(size).reshape(size, 1, *kernel), x.dtype)
    images = multiplied(op, size_at(op, x, 0), size_at(op, x, 1))
    single = reshaped(op, x, images, 1, *(size_at(op, x, axis) for axis in axes))
    attributes = {k: node.attributes[k] for k in ("strides", "dilations", "pads")}
    result = op.Conv(single, identity, **attributes)
    return result


def _padded(op: Ops, node: Node, x: Value) -> Value:
    pads, rank = node.attributes["pads"], len(node.attributes["strides"])
    return op.Pad(x, pads, None, spatial_axes(rank)) if any(pads) else x


def _met_channels_first(op: Ops, node: Node, x: Value, kernel: list[int]) -> Iterator[Value]:
    """Yield what each tap meets, its channels before its images, which may share one axis.

    Of four axes OpenVINO brings every tap's share into a layout for convolutions and back; of three
    it does not, but takes longer over steps.
    """
    axes = spatial_axes(len(kernel))
    image = op.Transpose(_padded(op, node, x), perm=[1, 0, *axes])
    if max(node.attributes["strides"]) > 1:
        return _met_by_taps(op, node, image, kernel, 2)
    planes = multiplied(op, size_at(op, x, 0), size_at(op, x, 1))
    image = reshaped(op, image, planes, *(size_at(op, image, axis) for axis in axes))
    return _met_by_taps(op, node, image, kernel, 1)


def _maps_first(op: Ops, node: Node) -> tuple[Value, Size]:
    """Give dY as (maps, positions of all images), or the same by groups, and how many they are."""
    dy, _, _, group = _parts(node)
    count = multiplied(op, size_at(op, dy, 0), positions(op, dy))
    maps = size_at(op, dy, 1)
    swapped = op.Transpose(dy, perm=[1, 0, *spatial_axes(len(node.attributes["strides"]))])
    sizes = [group, divided(op, maps, group)] if group > 1 else [maps]
    return reshaped(op, swapped, *sizes, count), count


def _met_by_taps(
    op: Ops, node: Node, image: Value, kernel: list[int], axis: int
) -> Iterator[Value]:
    """Yield what each tap meets in a padded image whose spatial axes start at `axis`."""
    strides, dilations = node.attributes["strides"], node.attributes["dilations"]
    rank = len(kernel)
    axes = list(range(axis, axis + rank))
    dy = node.first_input
    width = covered(op, sizes_of(op, dy), [1] * rank, strides)
    for tap in product(*(range(k) for k in kernel)):
        starts = [t * d for t, d in zip(tap, dilations, strict=True)]
        yield op.Slice(image, starts, op.Add(width, starts), axes, strides)


def _channels_last(op: Ops, node: Node, kernel: list[int]) -> tuple[Value, list[Value]]:
    """Give dY as (group, maps, positions) and what each tap meets as (group, positions, channels).

    Without groups there is no axis for them.
    """
    dy, x, _, group = _parts(node)
    rank = len(kernel)
    last = [0, *spatial_axes(rank), 1]
    count = multiplied(op, size_at(op, dy, 0), positions(op, dy))

    def flat(part: Value, channels: Size) -> Value:
        if group == 1:
            return reshaped(op, part, count, channels)
        split = reshaped(op, part, count, group, divided(op, channels, group))
        return op.Transpose(split, perm=[1, 0, 2])

    image = op.Transpose(_padded(op, node, x), perm=last)
    by_map = flat(op.Transpose(dy, perm=last), size_at(op, dy, 1))
    by_map = op.Transpose(by_map, perm=[1, 0] if group == 1 else [0, 2, 1])
    channels = size_at(op, x, 1)
    return by_map, [flat(part, channels) for part in _met_by_taps(op, node, image, kernel, 1)]


def _channels_before_taps(op: Ops, node: Node, found: Value, kernel: list[int]) -> Value:
    """Bring (maps, taps·channels), or the same by groups, into the weight's order."""
    dy, x, _, group = _parts(node)
    maps, channels = size_at(op, dy, 1), divided(op, size_at(op, x, 1), group)
    split = reshaped(op, found, maps, *kernel, channels)
    return op.Transpose(split, perm=[0, 1 + len(kernel), *range(1, 1 + len(kernel))])
