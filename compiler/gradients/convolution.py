"""Gradients of convolutions, which close over themselves.

Conv, ConvInputGrad and ConvWeightGrad are linear in both inputs, and each one's derivatives are
the other two; so the three rules below serve every order. ConvTranspose is ConvInputGrad read
forwards.
"""

from typing import Any

from ..differentiation.rules import Entries, Entry, Refused, composite_gradient, gradient
from ..emission.accumulation import accumulate
from ..emission.ops import Ops
from ..emission.windows import (
    Sizes,
    covered,
    halves,
    numbers,
    padding,
    reach,
    sizes_of,
    spatial_axes,
    spatial_rank,
    window,
)
from ..graph.ir import Node, Value
from ..standard.schemas import attribute

Attributes = dict[str, Any]

_NO_RANK = Refused("the number of its spatial axes is unknown while compiling")


@gradient("Conv")
def conv(op: Ops, node: Node, dy: Value) -> Entries:
    """Y[b,o,i] = Σ X[b,c, s·i + d·k − p]·W[o,c,k] + B[o]: dX, dW see the composites; dB = Σ dY"""
    x, w, *bias = node.inputs
    rank = spatial_rank(node)
    if rank is None or x is None or w is None:
        return [_NO_RANK] * len(node.inputs)
    attributes = _attributes(node, rank)
    placement = attributes["strides"], attributes["dilations"]
    begins, ends = padding(op, node, x, _kernel(op, node, w), *placement)
    return *_product_rule(op, dy, x, w, begins, ends, attributes), *_by_bias(op, dy, bias, rank)


@gradient("ConvTranspose")
def conv_transpose(op: Ops, node: Node, dy: Value) -> Entries:
    """The adjoint of Conv: dX = Conv(dY, W), dW[i,o,k] = Σ X[b,i,m]·dY[b,o, s·m + d·k − p]

    The windows over dY cover just what the output would be without padding.
    """
    x, w, *bias = node.inputs
    rank = spatial_rank(node)
    if rank is None or x is None or w is None:
        return [_NO_RANK] * len(node.inputs)
    attributes = _attributes(node, rank)
    begins, ends = _transposed_padding(op, node, x, w, attributes)
    pads = _static_pads(begins, ends, attributes["strides"])
    if pads is None:
        whole = _whole(op, node, x, w, attributes)
        image, attributes["pads"] = window(op, dy, op.Neg(op.value(begins)), whole), [0] * 2 * rank
    else:
        image, attributes["pads"] = dy, pads
    dx = op.Conv(image, w, **attributes)
    dw = _weight_gradient(op, x, image, w, attributes)
    return dx, dw, *_by_bias(op, dy, bias, rank)


@composite_gradient("ConvInputGrad")
def conv_input_grad(op: Ops, node: Node, dx: Value) -> Entries:
    """Linear in dY and W: by dY it is Conv(·, W), by W it is the weight gradient"""
    dy, w, _ = node.required(3)
    by_dy = op.Conv(dx, w, **node.attributes)
    return by_dy, _weight_gradient(op, dy, dx, w, node.attributes), None


@composite_gradient("ConvWeightGrad")
def conv_weight_grad(op: Ops, node: Node, dw: Value) -> Entries:
    """Linear in dY and X: by dY it is Conv(X, ·), by X it is the input gradient"""
    dy, x, _ = node.required(3)
    by_dy = op.Conv(x, dw, **node.attributes)
    return by_dy, _input_gradient(op, dy, dw, x, node.attributes), None


def _product_rule(
    op: Ops, dy: Value, x: Value, w: Value, begins: Sizes, ends: Sizes, attributes: Attributes
) -> tuple[Value, Value]:
    """Give dX and dW of Conv; padding known only at run time is put around X first."""
    before, after = numbers(begins), numbers(ends)
    if before is not None and after is not None:
        attributes = attributes | {"pads": [*before, *after]}
        return (
            _input_gradient(op, dy, w, x, attributes),
            _weight_gradient(op, dy, x, w, attributes),
        )
    attributes = attributes | {"pads": [0] * (2 * len(attributes["strides"]))}
    begins = op.value(begins)
    sizes = sizes_of(op, x)
    wide = window(op, x, op.Neg(begins), op.Add(op.Add(begins, sizes), op.value(ends)))
    dx = window(op, _input_gradient(op, dy, w, wide, attributes), begins, sizes)
    return dx, _weight_gradient(op, dy, wide, w, attributes)


def _input_gradient(op: Ops, dy: Value, w: Value, x: Value, attributes: Attributes) -> Value:
    return op.composite("ConvInputGrad", dy, w, op.Shape(x), types=[x.type], **attributes)


def _weight_gradient(op: Ops, dy: Value, x: Value, w: Value, attributes: Attributes) -> Value:
    return op.composite("ConvWeightGrad", dy, x, op.Shape(w), types=[w.type], **attributes)


def _by_bias(op: Ops, dy: Value, bias: list[Value | None], rank: int) -> list[Entry]:
    return [b and accumulate(op, dy, [0, *spatial_axes(rank)], keepdims=0) for b in bias]


def _attributes(node: Node, rank: int) -> Attributes:
    """Give strides, dilations and group without defaults."""
    return {
        "strides": list(node.attributes.get("strides") or [1] * rank),
        "dilations": list(node.attributes.get("dilations") or [1] * rank),
        "group": attribute(node, "group"),
    }


def _kernel(op: Ops, node: Node, w: Value) -> Sizes:
    """Give the kernel's spatial sizes, as numbers where they are known while compiling."""
    known = numbers(w.shape[2:]) if w.shape else None
    return node.attributes.get("kernel_shape") or known or sizes_of(op, w)


def _whole(op: Ops, node: Node, x: Value, w: Value, attributes: Attributes) -> Value:
    """Give the output's spatial sizes of a ConvTranspose as if it had no padding."""
    span = reach(op, _kernel(op, node, w), attributes["dilations"])
    return covered(op, sizes_of(op, x), span, attributes["strides"])


def _transposed_padding(
    op: Ops, node: Node, x: Value, w: Value, attributes: Attributes
) -> tuple[Sizes, Sizes]:
    """Give how far the windows of a ConvTranspose reach beyond its output, before and after.

    Negative where the output is larger than what they cover, as output_padding makes it.
    """
    strides, rank = attributes["strides"], len(attributes["strides"])
    extra = list(node.attributes.get("output_padding") or [0] * rank)
    mode = attribute(node, "auto_pad")
    shape = node.attributes.get("output_shape")
    if not shape and not mode.startswith("SAME"):
        pads = node.attributes.get("pads") if mode == "NOTSET" else None
        pads = pads or [0] * (2 * rank)
        return list(pads[:rank]), [p - e for p, e in zip(pads[rank:], extra, strict=True)]
    inputs = sizes_of(op, x)
    whole = _whole(op, node, x, w, attributes)
    outputs = op.value(list(shape[-rank:])) if shape else op.Mul(inputs, strides)
    total = op.Max(op.Sub(op.Add(whole, extra), outputs), op.constant([0]))
    begins, ends = halves(op, total, mode == "SAME_UPPER")
    return begins, op.Sub(op.Sub(whole, outputs), begins) if shape else op.Sub(ends, extra)


def _static_pads(begins: Sizes, ends: Sizes, strides: list[int]) -> list[int] | None:
    """Give the padding as an attribute where it can be one: known, and not negative.

    A window that lacks less than a stride at the end is none too many, so that needs no padding.
    """
    before, after = numbers(begins), numbers(ends)
    if before is None or after is None:
        return None
    after = [0 if -s < e < 0 else e for e, s in zip(after, strides, strict=True)]
    return [*before, *after] if min([*before, *after], default=0) >= 0 else None
