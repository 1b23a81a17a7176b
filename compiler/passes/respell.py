"""Operators that some runtimes compute wrongly or not at all, said in others, exactly."""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..composites.convolution import stuffed_convolution
from ..emission.ops import Ops
from ..emission.positions import numbered, product
from ..emission.windows import (
    Pool,
    covered,
    multiplied,
    numbers,
    reach,
    reshaped,
    size_at,
    sizes_of,
    spatial_axes,
    spatial_rank,
)
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_within
from ..interchange.spellings.calls import explicit_pads
from ..interchange.spellings.double import DOUBLE
from ..interchange.spellings.kernel_dtypes import Results
from ..interchange.spellings.kernels import Rule, say_otherwise
from ..standard.schemas import attribute
from .pipeline import Pass

_FEW_TAPS = 16
"""Windows of more elements are not compared tap by tap."""


def respell(**rules: Rule) -> Pass:
    """Give the pass that says operators otherwise, by name, in subgraphs too."""

    def say(graph: Graph) -> bool:
        changed = False
        for node in graph.nodes():
            changed |= run_within(say, graph, node)
            op = Ops(graph, node.position, f"{node.title}/")
            changed |= say_otherwise(op, node, rules)
        return changed

    return say


def softplus(op: Ops, node: Node) -> Results:
    """The formula of which nothing overflows: some runtimes take log(1 + eˣ) as it is"""
    return [DOUBLE["Softplus"](op, node, node.first_input)]


def dropout_of_nothing(op: Ops, node: Node) -> Results | None:
    """x outside of training: OpenVINO's reader takes an input's name away where x is one"""
    training = node.input(2)
    if training is not None and (training.constant is None or training.constant.any()):
        return None
    x = node.first_input
    kept = [op.Expand(op.constant(True), op.Shape(x))] if len(node.outputs) > 1 else []
    return [op.Identity(x), *kept]


def _always(node: Node) -> bool:
    return True


def conv_transpose(op: Ops, node: Node, when: Callable[[Node], bool] = _always) -> Results | None:
    """A convolution of x with zeros between its elements"""
    x, w = node.required(2)
    rank, group = spatial_rank(node), attribute(node, "group")
    explicit_pads(op, node)
    automatic = attribute(node, "auto_pad").startswith("SAME") or "output_shape" in node.attributes
    if rank is None or automatic or not when(node):
        return None
    strides = node.attributes.get("strides") or [1] * rank
    dilations = node.attributes.get("dilations") or [1] * rank
    pads = node.attributes.get("pads") or [0] * (2 * rank)
    extra = node.attributes.get("output_padding") or [0] * rank
    whole = covered(op, sizes_of(op, x), reach(op, sizes_of(op, w), dilations), strides)
    cut = [e - p - q for e, p, q in zip(extra, pads[:rank], pads[rank:], strict=True)]
    y = stuffed_convolution(op, x, w, op.Add(whole, cut), strides, dilations, pads, group)
    bias = node.input(2)
    return [y if bias is None else op.Add(y, op.Unsqueeze(bias, list(range(1, rank + 1))))]


def in_groups(node: Node) -> bool:
    return bool(attribute(node, "group") != 1)


def of_single_channels(node: Node) -> bool:
    """Tell whether one channel becomes one, as in the gradient of AveragePool."""
    shape = node.required(2)[1].shape
    return shape is not None and shape[:2] == (1, 1)


def max_pool_of_one_image(op: Ops, node: Node) -> Results | None:
    """All images are channels of one, for OpenCV counts indices within an image, of two axes"""
    x, rank = node.first_input, spatial_rank(node)
    if len(node.outputs) < 2 or node.outputs[1] is None or rank not in (1, 2):
        return None
    if rank == 2 and size_at(op, x, 0) == 1:
        return None
    attributes = dict(node.attributes)
    sizes = [size_at(op, x, axis) for axis in spatial_axes(rank)]
    if rank == 1:
        sizes, attributes = [*sizes, 1], _with_an_axis_more(attributes)
    image = reshaped(op, x, 1, multiplied(op, size_at(op, x, 0), size_at(op, x, 1)), *sizes)
    found = op.MaxPool(image, outputs=2, **attributes)
    shape = op.Concat(op.Shape(x, end=2), op.Shape(found[0], start=2, end=2 + rank), axis=0)
    return [op.Reshape(v, shape, allowzero=1) for v in found]


def _with_an_axis_more(attributes: dict[str, Any], dilation: int = 1) -> dict[str, Any]:
    """Give a pool's attributes with a last axis along which its windows are one element."""
    added = dict(attributes)
    rank = len(attributes["kernel_shape"])
    for name, one in (("kernel_shape", 1), ("strides", 1), ("dilations", dilation)):
        added[name] = [*(attributes.get(name) or [1] * rank), one]
    if pads := attributes.get("pads"):
        added["pads"] = [*pads[:rank], 0, *pads[rank:], 0]
    return added


def max_pool_dilated(op: Ops, node: Node) -> Results | None:
    """One axis more, with a dilation: onnx.reference 1.23 counts otherwise where all are 1"""
    x, rank = node.first_input, spatial_rank(node)
    steps = (*node.attributes.get("strides", ()), *node.attributes.get("dilations", ()))
    counts_right = any(s != 1 for s in steps) or attribute(node, "storage_order")
    if len(node.outputs) < 2 or node.outputs[1] is None or counts_right or rank not in (1, 2):
        return max_pool_by_plane(op, node)
    last = [2 + rank]
    attributes = _with_an_axis_more(node.attributes, dilation=2)
    longer = op.MaxPool(op.Unsqueeze(x, last), outputs=2, **attributes)
    y, indices = (op.Squeeze(v, last) for v in longer)
    return [y, _by_plane(op, x, indices, rank)]


def max_pool_by_plane(op: Ops, node: Node) -> Results | None:
    """Indices modulo the plane, plus where it starts: right where they count within planes, too"""
    x, rank = node.first_input, spatial_rank(node)
    if len(node.outputs) < 2 or node.outputs[1] is None or rank is None:
        return None
    y, indices = op.MaxPool(x, outputs=2, **node.attributes)
    return [y, _by_plane(op, x, indices, rank)]


def max_pool_by_taps(op: Ops, node: Node) -> Results | None:
    """Indices of the first tap that holds the maximum: OpenVINO looks for its own one by one

    On the padding lies the nearest element, which the window has anyway.
    """
    x, rank = node.first_input, spatial_rank(node)
    if len(node.outputs) < 2 or node.outputs[1] is None or rank is None:
        return None
    pads = node.attributes.get("pads") or [0] * (2 * rank)
    sizes = numbers((x.shape or ("?",))[2:])
    counts = numbers((node.output().shape or ("?",))[2:])
    pool = Pool.of(node)
    spread = any(pads) and max(pool.dilations) > 1
    rounds = attribute(node, "ceil_mode") or attribute(node, "storage_order")
    same = attribute(node, "auto_pad").startswith("SAME")
    if not sizes or not counts or spread or rounds or same or prod(pool.kernel) > _FEW_TAPS:
        return None
    y = op.MaxPool(x, outputs=1, **node.attributes)
    image = op.Pad(x, pads, None, spatial_axes(rank), mode="edge") if any(pads) else x
    found: Value | None = None
    for tap in reversed(list(np.ndindex(*pool.kernel))):
        begins = [t * d for t, d in zip(tap, pool.dilations, strict=True)]
        places = [
            np.clip(np.arange(count) * stride + begin - pad, 0, size - 1)
            for count, stride, begin, pad, size in zip(
                counts, pool.strides, begins, pads, sizes, strict=False
            )
        ]
        index = op.constant(np.ravel_multi_index(np.ix_(*places), sizes))
        ends = [b + (c - 1) * s + 1 for b, c, s in zip(begins, counts, pool.strides, strict=True)]
        part = op.Slice(image, begins, ends, spatial_axes(rank), pool.strides)
        found = index if found is None else op.Where(op.Equal(part, y), index, found)
    assert found is not None
    return [y, op.Add(op.Expand(found, op.Shape(y)), _plane_starts(op, x, rank))]


def _by_plane(op: Ops, x: Value, indices: Value, rank: int) -> Value:
    """Give indices within all of x, from such or from those within planes."""
    size = op.Max(product(op, sizes_of(op, x)), [1])
    return op.Add(op.Mod(indices, size), _plane_starts(op, x, rank))


def _plane_starts(op: Ops, x: Value, rank: int) -> Value:
    """Give the index of the first element of each plane, with a 1 for each spatial axis."""
    size = op.Max(product(op, sizes_of(op, x)), [1])
    known = numbers((x.shape or ("?",))[:2])
    if known is None:
        planes = numbered(op, op.Shape(x, end=2))
    else:
        planes = op.constant(np.arange(prod(known)).reshape(known))
    return op.Unsqueeze(op.Mul(planes, size), spatial_axes(rank))
