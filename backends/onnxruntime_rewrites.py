"""What onnxruntime's kernels lack or get wrong, written by what they have; it runs nothing.

Each rule says when it applies and gives its formula. Rules are needed where a kernel refuses
what its own table allows, or gives another result than the standard.
"""

import sys
from collections.abc import Callable
from functools import partial

import ml_dtypes
import numpy as np

from ..compiler.composites.expand import expand_node, has_body
from ..compiler.emission.accumulation import as_float32, cast_to
from ..compiler.emission.masking import MANY, masked
from ..compiler.emission.ops import Ops
from ..compiler.emission.replacing import put_in_place
from ..compiler.emission.resampling import resized_axes
from ..compiler.errors import UnsupportedOpError
from ..compiler.graph.dead_code import remove_dead_code
from ..compiler.graph.dims import add, typical_size
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.subgraphs import run_within
from ..compiler.graph.types import Dim, as_dtype
from ..compiler.interchange.double_spellings import is_said_in_double
from ..compiler.interchange.spellings import NEVER_WRITTEN
from ..compiler.opset import COMPOSITE_DOMAIN
from ..compiler.passes.widen import Supports, run_wider, widen_node

Rewrite = Callable[[Ops, Node], list[Value | None] | None]
"""Emits what may stand in place of a node and gives its outputs; None where it does not apply."""

REWRITES: dict[str, Rewrite] = {}


def adapt(graph: Graph, supports: Supports) -> None:
    """Bring a graph to what onnxruntime runs, in place: rewritten, widened, or by ONNX's bodies."""
    pending = graph.nodes()
    while pending:
        node = pending.pop()
        run_within(partial(adapt, supports=supports), graph, node)
        if node.domain != COMPOSITE_DOMAIN:
            pending += _adapt_node(graph, node, supports)
    remove_dead_code(graph)


def _adapt_node(graph: Graph, node: Node, supports: Supports) -> list[Node]:
    if all(v.constant is not None for v in node.writes()):
        return []  # it is known, and will stand as a constant
    rewrite = None if node.domain else REWRITES.get(node.op_type)
    if rewrite is not None:
        op = Ops(graph, node.position, f"{node.title}/")
        results = rewrite(op, node)
        if results is not None:
            put_in_place(op, node, results)
            return op.emitted
    if not node.domain and node.op_type in _IN_DOUBLE and _is(node.inputs[0], np.float32):
        return run_wider(graph, node, np.dtype(np.float32), np.dtype(np.float64))
    if not _distrusted(node):
        if supports(node) or is_said_in_double(node) or node.op_type in NEVER_WRITTEN:
            return []
        widened = widen_node(graph, node, supports)
        if widened is not None:
            return widened
    if has_body(node):
        try:
            return expand_node(graph, node)
        except UnsupportedOpError:
            pass  # ONNX gives no body for these types; onnxruntime has the last word
    return []


_IN_DOUBLE = {"DFT", "STFT"}
"""Run in float64: the errors of their float32 kernels show where terms cancel."""


def rewrite(*op_types: str) -> Callable[[Rewrite], Rewrite]:
    """Register a rule for operators."""

    def register(function: Rewrite) -> Rewrite:
        for op_type in op_types:
            assert op_type not in REWRITES, op_type
            REWRITES[op_type] = function
        return function

    return register


def _is(value: Value | None, *dtypes: type) -> bool:
    return value is not None and value.dtype in [np.dtype(d) for d in dtypes]


def _input(node: Node, index: int) -> Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _distrusted(node: Node) -> bool:
    """Tell whether ONNX's body serves where the kernel is another than the standard's.

    Attention's kernel masks its output of scores otherwise, and refuses a mask of one row for all
    queries, or one that is shorter than the keys; a single query it lets see all keys, also those
    that come after it. GridSample's moves points to the border where a cubic has taps beyond it;
    the standard moves each tap. LSTM's clips what all activations get but the last one; in float64,
    which it says it takes, it fails as GRU's does. FeatureVectorizer's ends the process where a row
    is empty.
    """
    match node.domain, node.op_type:
        case "", "GRU" | "LSTM" if _is(node.inputs[0], np.float64):
            return True
        case "", "LSTM":
            return bool(node.attributes.get("clip", 0))
        case "", "GridSample":
            named = (node.attributes.get(name) for name in ("mode", "padding_mode"))
            return tuple(named) == ("cubic", "border")
        case "ai.onnx.ml", "FeatureVectorizer":
            return True
        case "com.microsoft", "MultiHeadAttention":
            return _in_one_tensor_or_forgetful(node)
        case "", "Attention":
            scores = len(node.outputs) > 3 and node.outputs[3] is not None
            mask, lengths = _input(node, 3), _input(node, 6)
            masked = mask is not None and (lengths is not None or not _is_whole(mask, node))
            return scores or masked or _may_see_ahead(node)
        case _:
            return False


def _in_one_tensor_or_forgetful(node: Node) -> bool:
    """Tell whether the CPU's kernel does not know the call, or leaves out what it is to remember.

    It takes no queries and keys in one tensor, and no cache where it is to give none.
    """
    packed = any(v is not None and v.rank == 5 for v in node.inputs[:2])
    gives = len(node.outputs) > 2 and None not in node.outputs[1:3]
    return packed or (_input(node, 6) is not None and not gives)


def _may_see_ahead(node: Node) -> bool:
    """Tell whether causal attention may be asked for one query and more keys than that."""
    queries, keys = (_length(_input(node, k)) for k in (0, 1))
    several = isinstance(queries, int) and queries > 1
    alike = queries is not None and queries == keys
    return bool(node.attributes.get("is_causal", 0)) and not (several or alike)


def _is_whole(mask: Value, node: Node) -> bool:
    """Tell whether a mask certainly has one row for each query and one column for each key."""
    queries, keys, past = (_length(_input(node, k)) for k in (0, 1, 4))
    if queries is None or keys is None or not mask.shape or len(mask.shape) < 2:
        return False
    if _input(node, 4) is not None:
        if past is None:
            return False
        keys = add(past, keys)
    return mask.shape[-2:] == (queries, keys)


def _length(value: Value | None) -> Dim | None:
    """Give the number of queries or keys in a tensor of rank 3 or 4."""
    if value is None or value.rank not in (3, 4):
        return None
    return (value.shape or ())[-2 if value.rank == 4 else 1]


@rewrite("DFT")
def _dft(op: Ops, node: Node) -> None:
    """Refuse the inverse of half a spectrum: the kernel does not fill in the other half."""
    if node.attributes.get("onesided") and node.attributes.get("inverse"):
        raise UnsupportedOpError(
            f"{node.label}: onnxruntime's inverse of a one-sided spectrum is not the standard's; "
            "run the graph on numpy, or give it the whole spectrum",
            ["DFT"],
        )


@rewrite("Mod")
def floor_modulus(op: Ops, node: Node) -> list[Value | None] | None:
    """x mod y for floats = r + y where r = fmod(x, y) ≠ 0 has not the sign of y, else r."""
    x, y = node.inputs
    assert x is not None and y is not None
    if node.attributes.get("fmod", 0) or np.issubdtype(x.dtype, np.integer):
        return None
    zero = op.like(0, x)
    r = op.Mod(x, y, fmod=1)
    other_sign = op.Xor(op.Less(r, zero), op.Less(y, zero))
    moved = op.And(other_sign, op.Not(op.Equal(r, zero)))
    return [op.Where(moved, op.Add(r, y), r)]


@rewrite("Where")
def product_with_mask(op: Ops, node: Node) -> list[Value | None] | None:
    """v where the mask is true, else 0 = v·mask, where all of v is finite"""
    mask, first, second = node.required(3)
    y = node.output()
    v, when = (second, False) if _is_zero(first) else (first, True)
    if not (when is False or _is_zero(second)) or not _is(v, np.float32, np.float64):
        return None
    if v.shape is None or v.shape != y.shape or typical_size(v.shape) < MANY:
        return None
    if not op.graph.owns(v):
        return None  # it is a branch that this rule has written, or as good as that

    def kept(inner: Ops) -> Value:
        return mask if when else inner.Not(mask)

    return [masked(op, v, kept, lambda inner: inner.Where(mask, first, second))]


def _is_zero(value: Value) -> bool:
    constant = None if value.parameter else value.constant
    return constant is not None and constant.size == 1 and not constant.any()


@rewrite("Pow")
def unsigned_exponent(op: Ops, node: Node) -> list[Value | None] | None:
    """x^e with an unsigned e = x^e with e in a wider signed dtype."""
    x, exponent = node.inputs
    if _is(exponent, np.uint8, np.uint16, np.uint32):
        return [op.Pow(x, op.Cast(exponent, to="int64"))]
    if _is(exponent, np.uint64):
        return [op.Pow(x, op.Cast(exponent, to="float64"))]
    return None


@rewrite("TopK")
def unsigned_top(op: Ops, node: Node) -> list[Value | None] | None:
    """Top of uint64 = top of int64 with the highest bit flipped, which keeps the order."""
    x, k = node.inputs
    if not _is(x, np.uint64):
        return None
    flip = op.constant(np.iinfo(np.int64).min, np.int64)
    signed = op.BitwiseXor(op.Cast(x, to="int64"), flip)
    values, indices = op.TopK(signed, k, **node.attributes)
    unsigned = op.Cast(op.BitwiseXor(values, flip), to="uint64")
    return [unsigned, indices]


@rewrite("ReduceMax", "ReduceMin")
def reduce_truth(op: Ops, node: Node) -> list[Value | None] | None:
    """Any and all of booleans = largest and least of 0 and 1; of nothing: false and true."""
    x, axes = node.inputs[0], _input(node, 1)
    if not _is(x, np.bool_):
        return None
    numbers = op.Cast(x, to="uint8")
    reduced = op.emit(node.op_type, numbers, axes, **node.attributes)
    return [op.Cast(reduced, to="bool")]


@rewrite("GlobalLpPool")
def norm_of_channels(op: Ops, node: Node) -> list[Value | None] | None:
    """(Σ |x|ᵖ)^(1/p) over the spatial axes: the only kernel is of float32 and opsets before 22."""
    (x,), p = node.inputs, node.attributes.get("p", 2)
    if x is None or x.rank is None:
        return None
    axes, wide = list(range(2, x.rank)), as_float32(op, x)
    if p in (1, 2):
        return [cast_to(op, op.emit(f"ReduceL{p}", wide, axes), x)]
    total = op.ReduceSum(op.Pow(op.Abs(wide), op.like(p, wide)), axes)
    return [cast_to(op, op.Pow(total, op.like(1 / p, wide)), x)]


@rewrite("DequantizeLinear")
def scale_in_single(op: Ops, node: Node) -> list[Value | None] | None:
    """(x − z)·s in float32, rounded to bfloat16 at the end, where s is bfloat16."""
    (x, scale, *zero), (y,) = node.inputs, node.outputs
    assert scale is not None and y is not None
    if not _is(scale, ml_dtypes.bfloat16) and y.dtype != ml_dtypes.bfloat16:
        return None
    attributes = {k: a for k, a in node.attributes.items() if k != "output_dtype"}
    wide = op.DequantizeLinear(x, as_float32(op, scale), *zero, **attributes)
    return [cast_to(op, wide, y)]


@rewrite("Range")
def scalar_range(op: Ops, node: Node) -> list[Value | None] | None:
    """Start, limit and step with one element each = the same as scalars."""
    if all(v is not None and v.rank == 0 for v in node.inputs):
        return None
    return [op.Range(*(op.Reshape(v, np.zeros(0, np.int64)) for v in node.inputs))]


@rewrite("BitCast")
def bits_of_truth(op: Ops, node: Node) -> list[Value | None] | None:
    """The bits of a boolean are those of the number 0 or 1."""
    (x,), to = node.inputs, node.attributes["to"]
    to_truth = as_dtype(to) == "bool" and _is(x, np.uint8, np.int8)
    return [op.Cast(x, to=to)] if to_truth or _is(x, np.bool_) else None


@rewrite("Bernoulli")
def bernoulli(op: Ops, node: Node) -> list[Value | None] | None:
    """1 where u < p, u uniform in [0, 1); ONNX's own body has u > p, a one with 1 − p."""
    (p,), (y,) = node.inputs, node.outputs
    assert p is not None and y is not None
    seed = node.attributes.get("seed")
    uniform = op.RandomUniformLike(p, seed=seed)
    return [op.Cast(op.Less(uniform, p), to=y.dtype)]


@rewrite("StringNormalizer")
def normalize_here(op: Ops, node: Node) -> list[Value | None] | None:
    """Case by C.UTF-8: onnxruntime's en_US.UTF-8 is often not installed, and maps cases alike."""
    if "locale" in node.attributes or not sys.platform.startswith("linux"):
        return None
    return [op.StringNormalizer(*node.inputs, locale="C.UTF-8", **node.attributes)]


@rewrite("ConvInteger")
def zero_point_per_channel(op: Ops, node: Node) -> list[Value | None] | None:
    """conv(x, w − z) = conv(x, w) − z·conv(x, 1) for one zero point z per output channel."""
    x, w, x_zero, w_zero = (_input(node, k) for k in range(4))
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


@rewrite("MaxUnpool")
def unpool_then_pad(op: Ops, node: Node) -> list[Value | None] | None:
    """Indices count in the size without output_shape; what is more of it are zeros after y."""
    x, indices, size = (_input(node, k) for k in range(3))
    if size is None or x is None or x.rank is None:
        return None
    y = op.MaxUnpool(x, indices, **node.attributes)
    behind = op.Sub(size, op.Shape(y))
    return [op.Pad(y, op.Concat(np.zeros(x.rank, np.int64), behind, axis=0))]


@rewrite("Resize")
def align_corners_by_scale(op: Ops, node: Node) -> list[Value | None] | None:
    """x = i·(L − 1)/(s·L − 1), with s·L not rounded = the crop [0, (⌊s·L⌋ − 1)/(s·L − 1)]."""
    x, scales = node.first_input, _input(node, 2)
    attributes = dict(node.attributes)
    mode = attributes.get("coordinate_transformation_mode", "half_pixel")
    if mode != "align_corners" or scales is None or x.rank is None:
        return None
    if _is(x, np.float64):
        return None  # there is no kernel, and the body that runs knows what is not rounded
    before = op.Gather(op.Shape(x), resized_axes(node, x.rank))
    if scales.constant is not None and before.constant is not None:
        lengths = before.constant * scales.constant.astype(np.float64)
        if (lengths == np.floor(lengths)).all():
            return None  # nothing is rounded
    length = op.Mul(op.Cast(before, to="float32"), scales)
    inner = op.Sub(op.Floor(length), 1.0)
    end = op.Div(inner, op.Where(op.Greater(inner, 0.0), op.Sub(length, 1.0), 1.0))
    roi = op.Concat(op.Mul(end, 0.0), end, axis=0)
    attributes["coordinate_transformation_mode"] = "tf_crop_and_resize"
    return [op.Resize(x, roi, scales, **attributes)]
