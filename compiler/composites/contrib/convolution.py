"""Bodies of convolutions with what onnxruntime fuses into them, and of those with channels last."""

from collections.abc import Callable

from ...emission.ops import Ops
from ...graph.ir import Node, Value
from ..registry import contrib_body
from .fused import activated

WINDOW = (
    "auto_pad",
    "ceil_mode",
    "count_include_pad",
    "dilations",
    "group",
    "kernel_shape",
    "pads",
    "strides",
)
"""Attributes that say how windows lie; ONNX's operators have the same."""


def window(node: Node) -> dict[str, object]:
    """Give the attributes that say how windows lie."""
    return {k: a for k, a in node.attributes.items() if k in WINDOW}


@contrib_body("FusedConv")
def fused_conv(op: Ops, node: Node) -> Value:
    """f(x ∗ w + b + z)"""
    x, w = node.required(2)
    b, z = node.input(2), node.input(3)
    y = op.Conv(x, w, b, **window(node))
    return activated(op, node, y if z is None else op.Add(y, z))


@contrib_body("NhwcConv", "NhwcFusedConv")
def nhwc_conv(op: Ops, node: Node) -> Value:
    """f(x ∗ w + b + z), channels last in x, w, z and y"""
    x, w = node.required(2)
    b, z = node.input(2), node.input(3)
    inner = [channels_first(op, v) for v in (x, w)]
    y = channels_last(op, op.Conv(*inner, b, **window(node)))
    return activated(op, node, y if z is None else op.Add(y, z))


@contrib_body("NhwcMaxPool")
def nhwc_max_pool(op: Ops, node: Node) -> Value:
    """MaxPool, channels last"""
    x = node.first_input
    return with_channels_last(op, lambda v: op.MaxPool(v, **window(node)), x)


def with_channels_last(op: Ops, function: Callable[[Value], Value], x: Value) -> Value:
    """Apply a function of images to images whose channels stand last."""
    return channels_last(op, function(channels_first(op, x)))


def channels_first(op: Ops, x: Value) -> Value:
    """(batch, *spatial, channels) → (batch, channels, *spatial)"""
    rank = x.known_rank
    return op.Transpose(x, perm=[0, rank - 1, *range(1, rank - 1)])


def channels_last(op: Ops, x: Value) -> Value:
    """(batch, channels, *spatial) → (batch, *spatial, channels)"""
    return op.Transpose(x, perm=[0, *range(2, x.known_rank), 1])
