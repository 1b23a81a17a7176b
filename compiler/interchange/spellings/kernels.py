"""Calls that onnxruntime's kernels refuse, or compute otherwise than the standard, said otherwise.

Each rule says when it applies and gives its formula; of onnxruntime 1.32, whose kernels' tables
allow these calls.
"""

from collections.abc import Callable, Mapping

import numpy as np

from ...composites.expand import emit_body
from ...emission.accumulation import as_float32, cast_to, is_half
from ...emission.ops import Ops
from ...emission.replacing import put_in_place
from ...emission.resampling import crops, resized_axes
from ...graph.ir import Node
from ...standard.schemas import attribute
from . import kernel_dtypes as dtypes
from .fourier import fourier_transform
from .kernel_bodies import is_said_by_body
from .kernel_dtypes import Results
from .recurrences import recurrence

Rule = Callable[[Ops, Node], Results | None]
"""Emits what says a node otherwise and gives its outputs; None where it does not apply."""


def say_otherwise(op: Ops, node: Node, rules: Mapping[str, Rule] | None = None) -> bool:
    """Replace a node that is refused or misunderstood by what is not, in place; tell whether.

    `rules` are those of another runtime than onnxruntime.
    """
    rules = RULES if rules is None else rules
    rule = rules.get(node.op_type) if not node.domain else None
    results = rule(op, node) if rule is not None else None
    if results is None:
        for emitted in reversed(op.emitted):
            op.graph.remove(emitted)
        return False
    put_in_place(op, node, results)
    return True


def _sums_of_slices(op: Ops, node: Node) -> Results | None:
    """y = x/(bias + α/size·Σ x²)^β, over size neighboring channels: one slice for each"""
    x, size = node.first_input, node.attributes["size"]
    if x.rank is None or (size % 2 and x.rank == 4 and x.dtype != np.float64):
        return None
    before, after = (size - 1) // 2, size // 2
    padded = op.Pad(op.Mul(x, x), [before, after], None, [1])
    channels = op.Shape(x, start=1, end=2)
    slices = [op.Slice(padded, [k], op.Add(channels, k), [1]) for k in range(size)]
    total = op.Sum(*slices)
    base = op.Add(op.Mul(total, attribute(node, "alpha") / size), attribute(node, "bias"))
    return [op.Div(x, op.Pow(base, op.like(attribute(node, "beta"), x)))]


def _bernoulli(op: Ops, node: Node) -> Results | None:
    """1 where u < p, u uniform in [0, 1); the kernel, as ONNX's body, gives 1 where u > p."""
    (p,), (y,) = node.inputs, node.outputs
    assert p is not None and y is not None
    wide = as_float32(op, p)
    uniform = op.RandomUniformLike(wide, seed=node.attributes.get("seed"))
    return [op.Cast(op.Less(uniform, wide), to=y.dtype)]


def _normal_without_width(op: Ops, node: Node) -> Results | None:
    """All numbers are the mean where scale is 0: the kernel ends the process"""
    if attribute(node, "scale") != 0:
        return None
    sizes = op.Shape(node.first_input) if node.inputs else np.array(node.attributes["shape"])
    return [op.Expand(op.constant(attribute(node, "mean"), node.output().dtype), sizes)]


def _zero_point_per_channel(op: Ops, node: Node) -> Results | None:
    """conv(x, w − z) = conv(x, w) − z·conv(x, 1) for one zero point z per output channel."""
    x, w, x_zero, w_zero = (node.input(k) for k in range(4))
    if w is None or w_zero is None or w_zero.rank != 1 or w_zero.shape == (1,):
        return None
    if node.attributes.get("group", 1) != 1 or w.rank is None:
        return None
    ones = op.Expand(op.like(1, w), op.Concat([1], op.Shape(w, start=1), axis=0))
    sums = op.ConvInteger(x, ones, x_zero, **node.attributes)
    axes = list(range(1, w.rank - 1))
    z = op.Unsqueeze(op.Cast(w_zero, to="int32"), axes)
    products = op.ConvInteger(x, w, x_zero, **node.attributes)
    return [op.Sub(products, op.Mul(z, sums))]


def _unpool_then_pad(op: Ops, node: Node) -> Results | None:
    """Indices count in the size without output_shape; what is more of it are zeros after y."""
    x, indices, size = (node.input(k) for k in range(3))
    if size is None or x is None or x.rank is None:
        return None
    y = op.MaxUnpool(x, indices, **node.attributes)
    behind = op.Sub(size, op.Shape(y))
    return [op.Pad(y, op.Concat(np.zeros(x.rank, np.int64), behind, axis=0))]


def _length_as_scaled(op: Ops, node: Node) -> Results | None:
    """x = start + i·(end − start)·(L − 1)/(s·L − 1), whose s·L the kernel rounds down.

    With the sizes for the scales this is a crop whose end is nearer, by (⌊s·L⌋ − 1)/(s·L − 1);
    aligned corners are the crop from 0 to 1.
    """
    x, roi, scales = node.first_input, node.input(1), node.input(2)
    corners = attribute(node, "coordinate_transformation_mode") == "align_corners"
    if not (corners or crops(node)) or scales is None or x.rank is None or is_said_by_body(node):
        return None
    before = op.Gather(op.Shape(x), resized_axes(node, x.rank))
    if scales.constant is not None:
        sizes = 1 if before.constant is None else before.constant
        lengths = sizes * scales.constant.astype(np.float64)
        if (lengths == np.floor(lengths)).all():
            return None  # nothing is rounded
    if attribute(node, "antialias"):
        return list(emit_body(op, node))  # its filters are as wide as the scale says
    length = op.Mul(op.Cast(before, to="float32"), scales)
    inner = op.Sub(op.Floor(length), 1.0)
    share = op.Div(inner, op.Where(op.Greater(inner, 0.0), op.Sub(length, 1.0), 1.0))
    if corners or roi is None:
        crop = op.Concat(op.Mul(share, 0.0), share, axis=0)
    else:
        start, end = op.Split(cast_to(op, roi, share), num_outputs=2)
        crop = op.Concat(start, op.Add(start, op.Mul(op.Sub(end, start), share)), axis=0)
    settings = {**node.attributes, "coordinate_transformation_mode": "tf_crop_and_resize"}
    return [op.Resize(x, crop, None, op.Cast(op.Floor(length), to="int64"), **settings)]


def _regions_in_single(op: Ops, node: Node) -> Results | None:
    """Read half precision in float32: the kernel rounds the places that it reads at"""
    if not is_half(node.first_input):
        return None
    x, rois, *which = node.required(3)
    found = op.RoiAlign(as_float32(op, x), as_float32(op, rois), *which, **node.attributes)
    return [cast_to(op, found, x)]


RULES: dict[str, Rule] = {
    **dict.fromkeys(["GRU", "LSTM", "RNN"], recurrence),
    **dict.fromkeys(["GlobalAveragePool", "GlobalMaxPool"], dtypes.pool_of_points),
    **dict.fromkeys(["RandomNormal", "RandomNormalLike"], _normal_without_width),
    **dict.fromkeys(["ReduceMax", "ReduceMin"], dtypes.reduce_truth),
    "Bernoulli": _bernoulli,
    "BitCast": dtypes.bits_of_truth,
    "ConvInteger": _zero_point_per_channel,
    "DFT": fourier_transform,
    "DequantizeLinear": dtypes.scale_in_single,
    "GlobalLpPool": dtypes.norm_of_channels,
    "LRN": _sums_of_slices,
    "MaxUnpool": _unpool_then_pad,
    "Pow": dtypes.unsigned_exponent,
    "QuantizeLinear": dtypes.one_block,
    "Range": dtypes.scalar_range,
    "Resize": _length_as_scaled,
    "RoiAlign": _regions_in_single,
    "ScatterElements": dtypes.half_reduction,
    "TopK": dtypes.unsigned_top,
}
