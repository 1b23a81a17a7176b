"""Checks of convolutions and pools: lists of the right length, kernels, channels, windows."""

from collections.abc import Callable, Sequence
from functools import partial

from ..graph.dims import add, may_equal, multiply, quotient
from ..graph.ir import Node, Value
from ..graph.types import Dim, Shape
from ..standard.schemas import attribute
from .refusal import require
from .shapes import elements_of
from .window_shapes import (
    auto_pad,
    convolution_shape,
    last_begins,
    placement,
    transposed_reach,
    transposed_shape,
)

_PER_AXIS = ("dilations", "kernel_shape", "output_padding", "strides")


def _shape(node: Node, index: int) -> Shape | None:
    value: Value | None = node.inputs[index] if index < len(node.inputs) else None
    return None if value is None else value.shape


def _lists(node: Node, spatial: int | None) -> None:
    """Check that each list has an entry per spatial axis, pads two."""
    pads = node.attributes.get("pads") or []
    clear = attribute(node, "auto_pad") in (None, "NOTSET") or not any(pads)
    require(node, clear, "auto_pad chooses the pads, which cannot be given beside it")
    require(node, len(pads) % 2 == 0, "pads must hold a begin and an end for each spatial axis")
    counts = {k: len(node.attributes[k]) for k in _PER_AXIS if k in node.attributes}
    if "pads" in node.attributes:
        counts["pads"] = len(pads) // 2
    if spatial is None:
        spatial = next(iter(counts.values()), None)
    for name, count in counts.items():
        wanted = 2 * (spatial or 0) if name == "pads" else spatial
        reason = f"{name} must have {wanted} entries, for {spatial} spatial axes"
        require(node, count == spatial, reason)


def _spatial(*shapes: Shape | None) -> int | None:
    return next((len(s) - 2 for s in shapes if s is not None), None)


def _has_spatial_axes(node: Node, **shapes: Shape | None) -> None:
    for name, shape in shapes.items():
        rank = 3 if shape is None else len(shape)
        reason = f"{name} has rank {rank}, and needs spatial axes behind its first two"
        require(node, rank >= 3, reason)


def _convolution(node: Node, weight: int = 1, bias: int | None = 2) -> None:
    x, w = _shape(node, 0), _shape(node, weight)
    _has_spatial_axes(node, x=x, w=w)
    _lists(node, _spatial(x, w))
    group = attribute(node, "group")
    if x is not None and w is not None:
        require(node, len(x) == len(w), f"x has rank {len(x)}, w has rank {len(w)}")
        wanted = multiply([w[1], group])
        reason = f"x has {x[1]} channels, w with group={group} wants {wanted}"
        require(node, may_equal(x[1], wanted), reason)
    if w is not None:
        whole = not isinstance(w[0], int) or w[0] % group == 0
        require(node, whole, f"{w[0]} maps cannot be shared by group={group}")
        _kernel(node, w)
        _bias(node, bias, w[0])
        _fit(node, x, node.attributes.get("kernel_shape") or w[2:])


def _deformed(node: Node) -> None:
    """Check a DeformConv: an offset per element of the kernel and place of the output."""
    _convolution(node, bias=3)
    x, w, offset, mask = (_shape(node, k) for k in (0, 1, 2, 4))
    groups = attribute(node, "offset_group")
    if x is not None:
        whole = not isinstance(x[1], int) or x[1] % groups == 0
        require(node, whole, f"{x[1]} channels cannot be shared by offset_group={groups}")
    if x is None or w is None:
        return
    shape = convolution_shape(node)
    places = () if shape is None else shape[2:]
    for name, shape, each in (("offset", offset, len(places)), ("mask", mask, 1)):
        if shape is not None:
            channels = multiply([groups, each, *w[2:]])
            wanted = (x[0], channels, *places)
            fits = len(shape) == len(wanted) and all(map(may_equal, shape, wanted))
            require(node, fits, f"with offset_group={groups} {name} must have the shape {wanted}")


def _transposed(node: Node) -> None:
    x, w = _shape(node, 0), _shape(node, 1)
    _has_spatial_axes(node, x=x, w=w)
    _lists(node, _spatial(x, w))
    group = attribute(node, "group")
    if x is not None and w is not None:
        require(node, len(x) == len(w), f"x has rank {len(x)}, w has rank {len(w)}")
        require(node, may_equal(x[1], w[0]), f"x has {x[1]} channels, w wants {w[0]}")
    if w is not None:
        whole = not isinstance(w[0], int) or w[0] % group == 0
        require(node, whole, f"{w[0]} channels cannot be shared by group={group}")
        _kernel(node, w)
        _bias(node, 2, multiply([w[1], group]))
    extra = node.attributes.get("output_padding") or []
    strides, dilations, _ = placement(node, len(extra))
    for k, added in enumerate(extra):
        reason = "output_padding must be less than the stride or the dilation"
        require(node, added < max(strides[k], dilations[k]), reason)
    sizes, spatial = node.attributes.get("output_shape"), _spatial(x, w)
    if sizes is not None and spatial is not None:
        reason = f"output_shape must have {spatial} entries, for {spatial} spatial axes"
        require(node, len(sizes) in (spatial, spatial + 2), reason)
        _reach(node, x, sizes[-spatial:])
    for size in (transposed_shape(node) or ())[2:]:
        positive = not isinstance(size, int) or size >= 0
        require(node, positive, f"pads leave an output of size {size}")


def _reach(node: Node, x: Shape | None, sizes: Sequence[int]) -> None:
    """Refuse an output_shape that windows cannot reach, a stride or more behind the last one."""
    reach = transposed_reach(node)
    if x is None or reach is None:
        return
    strides, _, _ = placement(node, len(reach))
    for size, last, stride, wanted in zip(x[2:], reach, strides, sizes, strict=True):
        if isinstance(last, int):
            reason = f"output_shape asks for {wanted} where windows reach {last}"
            require(node, wanted < last + stride or size == 0, reason)


def _pool(node: Node) -> None:
    x = _shape(node, 0)
    kernel = node.attributes["kernel_shape"]
    _lists(node, _spatial(x))
    _fit(node, x, kernel)


def _unpool(node: Node) -> None:
    """Check that what is asked for has room for what the windows reach."""
    x, asked = _shape(node, 0), elements_of(node.input(2))
    _lists(node, _spatial(x))
    if x is None or asked is None or len(asked) != len(x):
        return
    kernel = node.attributes["kernel_shape"]
    strides, _, pads = placement(node, len(kernel))
    reached = [*x[:2]]
    for k, (size, taps) in enumerate(zip(x[2:], kernel, strict=True)):
        reach = add(multiply([strides[k], add(size, -1)]), taps)
        reached.append(add(reach, -(pads[k] + pads[len(kernel) + k])))
    for axis, (size, least) in enumerate(zip(asked, reached, strict=True)):
        fits = isinstance(size, str) or isinstance(least, str) or size >= least
        reason = f"output_shape asks for {size} along axis {axis}, where windows reach {least}"
        require(node, fits, reason)


def _columns(node: Node) -> None:
    """Check that the columns of Col2Im are as many and as long as its blocks and places."""
    block = _shape(node, 2)
    spatial = block[0] if block else None
    _lists(node, spatial if isinstance(spatial, int) else None)
    x, sizes, kernel = _shape(node, 0), elements_of(node.inputs[1]), elements_of(node.inputs[2])
    if x is None or sizes is None or kernel is None:
        return
    require(node, len(x) == 3, f"the columns have rank {len(x)}, not 3")
    taps = multiply(kernel)
    whole = not (isinstance(x[1], int) and isinstance(taps, int)) or x[1] % taps == 0
    require(node, whole, f"{x[1]} rows are not a multiple of a block's {taps} elements")
    steps = placement(node, len(sizes))[0]
    lasts = last_begins(node, sizes, kernel)
    places = multiply(add(quotient(n, s), 1) for n, s in zip(lasts, steps, strict=True))
    reason = f"strides, pads and dilations make {places} columns of an image {[*sizes]}, not {x[2]}"
    require(node, may_equal(x[2], places), reason)


def _kernel(node: Node, w: Shape) -> None:
    for given, size in zip(node.attributes.get("kernel_shape") or w[2:], w[2:], strict=True):
        require(node, may_equal(given, size), f"kernel_shape is not that of w, {[*w[2:]]}")
        require(node, size != 0, f"a kernel has elements along each axis, w has {[*w[2:]]}")


def _bias(node: Node, index: int | None, channels: Dim) -> None:
    shape = None if index is None else _shape(node, index)
    if shape is not None:
        fits = len(shape) == 1 and may_equal(shape[0], channels)
        require(node, fits, f"the bias must have shape ({channels},)")


def _fit(node: Node, image: Shape | None, kernel: Sequence[Dim] | None) -> None:
    """Refuse windows that are larger than what they move over, where that is not empty."""
    if image is None or kernel is None or auto_pad(node).startswith("SAME"):
        return
    strides, _, _ = placement(node, len(kernel))
    begins = last_begins(node, image[2:], kernel)
    for axis, (size, begin, stride) in enumerate(zip(image[2:], begins, strides, strict=True), 2):
        if isinstance(size, int) and isinstance(begin, int):
            fits = begin >= 0 or size == 0 and begin >= -stride
            reason = f"windows with pads are larger by {-begin} than axis {axis}, of size {size}"
            require(node, fits, reason)


WINDOW_CHECKS: dict[str, Callable[[Node], None]] = {
    "Conv": _convolution,
    "ConvInteger": partial(_convolution, bias=None),
    "ConvTranspose": _transposed,
    "DeformConv": _deformed,
    "QLinearConv": partial(_convolution, weight=3, bias=8),
    **dict.fromkeys(["AveragePool", "LpPool", "MaxPool"], _pool),
    "Col2Im": _columns,
    "MaxUnpool": _unpool,
}
