"""Calls whose bodies are written: onnxruntime's kernels fail on them, or give other numbers."""

import numpy as np

from ...emission.resampling import crops, keeps_aspect_ratio, resized_axes
from ...graph.dims import add
from ...graph.ir import Node, Value
from ...graph.types import Dim, is_float
from ...standard.schemas import attribute
from .kernel_dtypes import is_of

_IN_DOUBLE = {
    "GRU",
    "GroupNormalization",
    "LSTM",
    "MaxRoiPool",
    "RMSNormalization",
    "RNN",
}
"""In float64 their bodies stand for them: onnxruntime 1.32 has no kernel, or one that fails, or
computes in float32."""


def is_said_by_body(node: Node) -> bool:
    """Tell whether a node's body is written in its place, if it has one.

    Attention's kernel masks its output of scores otherwise, and refuses a mask of one row for all
    queries, or one that is shorter than the keys; a single query it lets see all keys, also those
    that come after it. GridSample's moves to the border each tap of a cubic, as torch does; the
    standard's reference moves the point, and then its taps. LSTM's clips what all activations get
    but the last one. Resize's is for images and volumes; where their aspect ratio is kept it crops
    them alike, and places samples between aligned corners, and filters, by the sizes that were
    asked for and not by those that come out. ScatterND's threads race where indices repeat.
    AffineGrid's puts a single place
    on 1 where corners are aligned, and not on −1 as the standard's body does. FeatureVectorizer's
    ends the process where a row is empty. Of the preview it knows nothing.
    """
    match node.domain, node.op_type:
        case "", op_type if op_type in _IN_DOUBLE and is_of(node.input(0), np.float64):
            return True
        case "", "Resize":
            return _resizes_smoothly(node) and (
                is_of(node.first_input, np.float64)
                or _resizes_other_axes(node)
                or keeps_aspect_ratio(node)
            )
        case "", "AffineGrid":
            places = (node.output().shape or ("?",))[1:-1]
            return bool(attribute(node, "align_corners")) and not all(map(_is_more, places))
        case "", "ScatterND":
            return bool(attribute(node, "reduction") != "none")
        case "", "LSTM":
            return bool(attribute(node, "clip"))
        case "", "GridSample":
            named = attribute(node, "mode"), attribute(node, "padding_mode")
            return named == ("cubic", "border")
        case "ai.onnx.preview", _:
            return True
        case "ai.onnx.ml", "FeatureVectorizer":
            return True
        case "com.microsoft", "MultiHeadAttention":
            return _in_one_tensor_or_forgetful(node)
        case "", "Attention":
            scores = len(node.outputs) > 3 and node.outputs[3] is not None
            mask, lengths = node.input(3), node.input(6)
            masked = mask is not None and (lengths is not None or not _is_whole(mask, node))
            return scores or masked or _may_see_ahead(node)
        case _:
            return False


def _is_more(size: Dim) -> bool:
    return isinstance(size, int) and size > 1


def _resizes_smoothly(node: Node) -> bool:
    return bool(attribute(node, "mode") != "nearest" and is_float(node.first_input.dtype))


def _resizes_other_axes(node: Node) -> bool:
    """Tell whether axes that no smooth kernel resizes certainly change."""
    rank = node.first_input.rank
    if rank is None or rank in (2, 3 if attribute(node, "mode") == "linear" else 2):
        return False
    first, second, *_, last = (_changes(node, axis) for axis in range(max(rank, 3)))
    if attribute(node, "mode") == "cubic":
        return rank != 4 or first or second
    return rank not in (4, 5) or first or (second and (last or rank == 5))


def _changes(node: Node, axis: int) -> bool:
    """Tell whether an axis certainly gets another size, or may be cropped."""
    x, y, scales, roi = node.first_input, node.output(), node.input(2), node.input(1)
    axes = resized_axes(node, x.known_rank)
    if axis not in axes:
        return False
    k = axes.index(axis)
    scale = None if scales is None or scales.constant is None else scales.constant[k]
    if scale is not None and scale != 1:
        return True
    if crops(node) and roi is not None:
        if roi.constant is None:
            return scale is None
        return (roi.constant[k], roi.constant[k + len(axes)]) != (0, 1)
    before, after = (None if v.shape is None else v.shape[axis] for v in (x, y))
    return isinstance(before, int) and isinstance(after, int) and before != after


def _in_one_tensor_or_forgetful(node: Node) -> bool:
    """Tell whether the CPU's kernel does not know the call, or leaves out what it is to remember.

    It takes no queries and keys in one tensor, and no cache where it is to give none.
    """
    packed = any(v is not None and v.rank == 5 for v in node.inputs[:2])
    gives = len(node.outputs) > 2 and None not in node.outputs[1:3]
    return packed or (node.input(6) is not None and not gives)


def _may_see_ahead(node: Node) -> bool:
    """Tell whether causal attention may be asked for one query and more keys than that."""
    queries, keys = (_length(node.input(k)) for k in (0, 1))
    several = isinstance(queries, int) and queries > 1
    alike = queries is not None and queries == keys
    return bool(node.attributes.get("is_causal", 0)) and not (several or alike)


def _is_whole(mask: Value, node: Node) -> bool:
    """Tell whether a mask certainly has one row for each query and one column for each key."""
    queries, keys, past = (_length(node.input(k)) for k in (0, 1, 4))
    if queries is None or keys is None or not mask.shape or len(mask.shape) < 2:
        return False
    if node.input(4) is not None:
        if past is None:
            return False
        keys = add(past, keys)
    return mask.shape[-2:] == (queries, keys)


def _length(value: Value | None) -> Dim | None:
    """Give the number of queries or keys in a tensor of rank 3 or 4."""
    if value is None or value.rank not in (3, 4):
        return None
    return (value.shape or ())[-2 if value.rank == 4 else 1]
