"""Output shapes of convolutions and pools, symbolic ones too; ONNX's inference drops those.

Equal sizes get equal names, whichever operators gave them. Along an axis of size 0 there may be
no window, where ONNX's inference counts one: it rounds −1/2 to 0.
"""

from collections.abc import Callable, Sequence

from ..graph.dims import add, multiply, negate, quotient, sum_of
from ..graph.ir import Node
from ..graph.types import Dim, Shape, fresh_dim
from ..standard.schemas import attribute


def convolution_shape(node: Node) -> Shape | None:
    """Give (batch, maps, *spatial) of a Conv."""
    image, weight = _shapes(node)
    if image is None:
        return None
    rank = len(image) - 2
    maps, *kernel = (weight[0], *weight[2:]) if weight else [fresh_dim() for _ in range(1 + rank)]
    kernel = node.attributes.get("kernel_shape") or kernel
    return image[0], maps, *_outputs(node, image[2:], kernel)


def pool_shape(node: Node) -> Shape | None:
    """Give (batch, channels, *spatial) of a pool."""
    image, _ = _shapes(node)
    if image is None:
        return None
    return *image[:2], *_outputs(node, image[2:], node.attributes["kernel_shape"])


def transposed_shape(node: Node) -> Shape | None:
    """Give (batch, channels, *spatial) of a ConvTranspose."""
    image, weight = _shapes(node)
    reach = transposed_reach(node)
    if image is None or reach is None:
        return None
    rank = len(image) - 2
    channels = multiply([weight[1], attribute(node, "group")]) if weight else fresh_dim()
    if sizes := node.attributes.get("output_shape"):
        return image[0], channels, *sizes[-rank:]
    strides, _, pads = placement(node, rank)
    spatial: list[Dim] = []
    for k, (size, last) in enumerate(zip(image[2:], reach, strict=True)):
        if auto_pad(node).startswith("SAME"):  # size·stride, or less where the windows are shorter
            grown = multiply([size, strides[k]])
            short = add(last, negate(grown))
            spatial.append(add(grown, min(short, 0)) if isinstance(short, int) else fresh_dim())
        else:
            spatial.append(add(last, -(pads[k] + pads[rank + k])))
    return image[0], channels, *spatial


def transposed_reach(node: Node) -> list[Dim] | None:
    """Give how far the windows of a ConvTranspose reach along each axis: its sizes without pads."""
    image, weight = _shapes(node)
    if image is None:
        return None
    rank = len(image) - 2
    strides, dilations, _ = placement(node, rank)
    extra = node.attributes.get("output_padding") or [0] * rank
    kernel: Sequence[Dim] = weight[2:] if weight else [fresh_dim() for _ in range(rank)]
    kernel = node.attributes.get("kernel_shape") or kernel
    return [
        sum_of([multiply([strides[k], add(size, -1)]), _span(kernel[k], dilations[k]), extra[k]])
        for k, size in enumerate(image[2:])
    ]


def _outputs(node: Node, sizes: Sequence[Dim], kernel: Sequence[Dim]) -> list[Dim]:
    """Give (size + padding − span) // stride + 1 along each axis, for SAME ceil(size / stride)."""
    rank, mode = len(sizes), auto_pad(node)
    strides, _, pads = placement(node, rank)
    if mode == "NOTSET" and attribute(node, "ceil_mode"):
        lasts = last_begins(node, sizes, kernel)
        return [_ceiled(*one) for one in zip(lasts, sizes, strides, pads, strict=False)]
    if mode.startswith("SAME"):
        lasts = [add(size, -1) for size in sizes]
    else:
        lasts = last_begins(node, sizes, kernel)
    return [add(quotient(last, s), 1) for last, s in zip(lasts, strides, strict=True)]


def _ceiled(last: Dim, size: Dim, stride: int, before: int) -> Dim:
    """Count windows of which the last may hang over the end, if it begins before that."""
    if isinstance(last, str) or isinstance(size, str):
        return fresh_dim()
    count = -(-last // stride) + 1
    return count - ((count - 1) * stride >= size + before)


def last_begins(node: Node, sizes: Sequence[Dim], kernel: Sequence[Dim]) -> list[Dim]:
    """Give size + padding − span along each axis: where the last window begins, with stride 1."""
    rank = len(sizes)
    _, dilations, pads = placement(node, rank)
    return [
        add(add(size, pads[k] + pads[rank + k]), negate(_span(kernel[k], dilations[k])))
        for k, size in enumerate(sizes)
    ]


def _span(kernel: Dim, dilation: int) -> Dim:
    return add(multiply([dilation, add(kernel, -1)]), 1)


def _shapes(node: Node) -> list[Shape | None]:
    places = (0, 3) if node.op_type == "QLinearConv" else (0, 1)
    values = [node.inputs[k] if k < len(node.inputs) else None for k in places]
    return [None if v is None else v.shape for v in values]


def auto_pad(node: Node) -> str:
    """Give the attribute."""
    mode: str = attribute(node, "auto_pad") or "NOTSET"
    return mode


def placement(node: Node, rank: int) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """Give strides, dilations and pads without defaults; no pads but explicit ones."""
    ones, none = [1] * rank, [0] * (2 * rank)
    return (
        node.attributes.get("strides") or ones,
        node.attributes.get("dilations") or ones,
        (node.attributes.get("pads") or none) if auto_pad(node) == "NOTSET" else none,
    )


WINDOW_SHAPES: dict[str, Callable[[Node], Shape | None]] = {
    **dict.fromkeys(["Conv", "ConvInteger", "DeformConv", "QLinearConv"], convolution_shape),
    "ConvTranspose": transposed_shape,
    "MaxPool": pool_shape,
    "AveragePool": pool_shape,
    "LpPool": pool_shape,
}
