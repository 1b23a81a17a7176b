"""Convolutions and pools, written so that every reader lays their windows alike.

onnxruntime 1.32 overlooks the dilation of a pool with SAME, refuses that of a convolution, pads by
less than nothing where its stride is the longer, and loads no pool whose padding is as long as its
kernel; ONNX's inference counts windows that ceil_mode lets begin in the padding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...emission.ops import Ops
from ...emission.positions import numbered, ones
from ...emission.replacing import put_in_place
from ...emission.windows import numbers, padding, sizes_of
from ...graph.ir import Node, Value
from ...graph.types import is_float, is_static
from ...standard.schemas import attribute

_WEIGHTS = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""The input that tells the kernel's size, where no attribute has to."""


def plain_windows(op: Ops, node: Node) -> bool:
    """Write padding in numbers, not in words; what numbers cannot say is padded beforehand."""
    if attribute(node, "auto_pad") == "VALID":
        return node.attributes.pop("ceil_mode", 0) == 1
    x, rank = node.first_input, len(_kernel(node))
    if x.rank is None or not rank:
        return False
    sized = is_static((x.shape or ("?",))[2:])
    if not sized:
        in_words = attribute(node, "auto_pad").startswith("SAME")
        apart = _misread(node) if in_words else _is_padded_too_far(node) and not _ceils(node)
        return apart and _padded_beforehand(op, node, [0] * rank)
    if 0 in (node.output().shape or ())[2:]:
        return False  # no windows are laid
    before = dict(node.attributes)
    _write_pads(op, node)
    over = _hanging_over(node)
    if _is_padded_too_far(node) or (_ceils(node) and 0 in over):
        return _padded_beforehand(op, node, over)
    return node.attributes != before


def _kernel(node: Node) -> list[int]:
    """Give the kernel's sizes, none where they are unknown."""
    kernel: Sequence[int | str] = node.attributes.get("kernel_shape") or ()
    weight = node.input(_WEIGHTS[node.op_type]) if node.op_type in _WEIGHTS else None
    if not kernel and weight is not None:
        kernel = (weight.shape or ())[2:]
    return [int(k) for k in kernel] if is_static(tuple(kernel)) else []


def _steps(node: Node) -> tuple[list[int], list[int]]:
    """Give strides and dilations, defaults written out."""
    default = [1] * len(_kernel(node))
    strides, dilations = (node.attributes.get(n) or default for n in ("strides", "dilations"))
    return list(strides), list(dilations)


def _reach(node: Node) -> list[int]:
    return [d * (k - 1) + 1 for k, d in zip(_kernel(node), _steps(node)[1], strict=True)]


def _misread(node: Node) -> bool:
    """Tell whether onnxruntime takes SAME otherwise, or refuses it."""
    strides, dilations = _steps(node)
    return max(dilations) > 1 or any(s > r for s, r in zip(strides, _reach(node), strict=True))


def _is_padded_too_far(node: Node) -> bool:
    """Tell whether padding reaches as far as the kernel has elements."""
    pads = node.attributes.get("pads") or []
    far = any(p >= k for p, k in zip(pads, _kernel(node) * 2, strict=False))
    return far and node.op_type not in _WEIGHTS


def _ceils(node: Node) -> bool:
    return bool(node.attributes.get("ceil_mode"))


def _write_pads(op: Ops, node: Node) -> None:
    """Write padding in numbers, also that of ceil_mode unless it counts less; sizes are known."""
    begins, ends = padding(op, node, node.first_input, _kernel(node), *_steps(node))
    first, last = numbers(begins), numbers(ends)
    assert first is not None and last is not None, "sizes are known"
    if node.attributes.pop("auto_pad", "NOTSET") != "NOTSET":
        node.attributes.pop("ceil_mode", None)
    node.attributes["pads"] = [*first, *last]
    over = _hanging_over(node)
    if _ceils(node) and not (any(over) and attribute(node, "count_include_pad")):
        del node.attributes["ceil_mode"]
        node.attributes["pads"] = [*first, *(e + o for e, o in zip(last, over, strict=True))]
    if not any(node.attributes["pads"]):
        del node.attributes["pads"]


def _hanging_over(node: Node) -> list[int]:
    """Give by how much ceil_mode lets the last windows hang over the padding; sizes are known."""
    rank = len(_kernel(node))
    pads = node.attributes.get("pads") or [0] * (2 * rank)
    if not _ceils(node):
        return [0] * rank
    sizes, counts = (node.first_input.shape or ())[2:], (node.output().shape or ())[2:]
    lasts = [(int(c) - 1) * s for c, s in zip(counts, _steps(node)[0], strict=True)]
    whole = [int(n) + pads[k] + pads[rank + k] for k, n in enumerate(sizes)]
    return [max(b + r - w, 0) for b, r, w in zip(lasts, _reach(node), whole, strict=True)]


def _padded_beforehand(op: Ops, node: Node, over: list[int]) -> bool:
    """Pad the image, so that the windows need no padding; tell whether the node still stands."""
    x = node.first_input
    begins, ends = padding(op, node, x, _kernel(node), *_steps(node))
    before, after = op.value(begins), op.value(ends)
    behind = op.Add(after, over)
    free = {"auto_pad", "pads", "ceil_mode", "storage_order", "count_include_pad"}
    plain = {k: a for k, a in node.attributes.items() if k not in free}
    if node.op_type == "MaxPool":
        put_in_place(op, node, _largest(op, node, before, behind, plain))
        return False
    zero = node.input(2) if node.op_type in ("ConvInteger", "QLinearConv") else None
    wide = _padded(op, x, before, behind, None if zero is None else op.Reshape(zero, _SCALAR))
    if node.op_type == "AveragePool":
        counted = ones(op, op.Concat([1, 1], sizes_of(op, x), axis=0), x)
        if attribute(node, "count_include_pad"):
            counted = _padded(op, counted, before, after, op.like(1, x))
            before, behind = op.constant([0] * len(over)), op.constant(over)
        share = op.AveragePool(_padded(op, counted, before, behind), **plain)
        put_in_place(op, node, [op.Div(op.AveragePool(wide, **plain), share)])
        return False
    node.inputs, node.attributes = (wide, *node.inputs[1:]), plain
    return True


_SCALAR = np.zeros(0, np.int64)


def _largest(
    op: Ops, node: Node, before: Value, behind: Value, plain: dict[str, Any]
) -> list[Value | None]:
    """Give a MaxPool's outputs; Indices are those of the image that was not padded."""
    x = node.first_input
    lowest = op.like(-np.inf if is_float(x.dtype) else np.iinfo(x.dtype).min, x)
    names = [op.graph.names.fresh(f"{op.prefix}y") if v else "" for v in node.outputs]
    wide = _padded(op, x, before, behind, lowest)
    y, *indices = op.emit_all("MaxPool", wide, outputs=names, **plain)
    own = op.Reshape(_padded(op, _element_numbers(op, node), before, behind), [-1])
    return [y, *(None if v is None else op.Gather(own, v) for v in indices)]


def _padded(op: Ops, x: Value, begins: Value, ends: Value, fill: Value | None = None) -> Value:
    """Pad the spatial axes; 0 is filled in if nothing else is."""
    others = op.constant([0, 0])
    return op.Pad(x, op.Concat(others, begins, others, ends, axis=0), fill)


def _element_numbers(op: Ops, node: Node) -> Value:
    """Number the elements of the image as Indices does: column by column with storage_order 1."""
    x, rank = node.first_input, len(_kernel(node))
    if not attribute(node, "storage_order"):
        return numbered(op, op.Shape(x))
    turned = [0, 1, *reversed(range(2, 2 + rank))]
    return op.Transpose(numbered(op, op.Gather(op.Shape(x), op.constant(turned))), perm=turned)
