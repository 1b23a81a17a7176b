"""Bodies of attention: projections, masks and caches around one core, computed in float32."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...emission.accumulation import as_float32, cast_to
from ...emission.ops import Ops
from ...emission.positions import dimension
from ...errors import UnsupportedOpError
from ...graph.ir import Node, Value
from ...standard.schemas import attribute
from ..attention import grouped_product, join_heads, split_heads
from ..registry import contrib_body
from .rotation import rotated_heads

_LOWEST = float(np.finfo(np.float32).min)
"""What scores get that causality rules out."""


@dataclass(frozen=True, slots=True)
class Attended:
    """What attention gives: y (batch, length, width), keys and values with their past, weights."""

    y: Value
    keys: Value
    values: Value
    weights: Value


@contrib_body("Attention")
def attention(op: Ops, node: Node) -> Sequence[Value | None]:
    """Attention of x·W + b, whose columns are queries, keys and values"""
    _refuse(node, "do_rotary", "past_present_share_buffer")
    x, w = node.required(2)
    bias, mask, past, scores_bias = (node.input(k) for k in (2, 3, 4, 5))
    total = op.MatMul(x, w)
    return _self_attention(
        op, node, total if bias is None else op.Add(total, bias), mask, past, scores_bias
    )


@contrib_body("QAttention")
def quantized_attention(op: Ops, node: Node) -> Sequence[Value | None]:
    """Attention of s·(x − zx)·(W − zw) + b"""
    _refuse(node, "do_rotary", "past_present_share_buffer")
    x, w, bias, x_scale, w_scale = node.required(5)
    mask, x_zero, w_zero, past = (node.input(k) for k in (5, 6, 7, 8))
    product = op.Cast(op.MatMulInteger(x, w, x_zero, w_zero), to=bias.dtype)
    total = op.Add(op.Mul(product, op.Mul(x_scale, w_scale)), bias)
    return _self_attention(op, node, total, mask, past, None)


def _self_attention(
    op: Ops,
    node: Node,
    projected: Value,
    mask: Value | None,
    past: Value | None,
    scores_bias: Value | None,
) -> Sequence[Value | None]:
    """projected: (batch, length, queries + keys + values); past: (2, batch, heads, length, size)"""
    sizes = node.attributes.get("qkv_hidden_sizes")
    parts = (
        op.Split(projected, sizes, axis=-1)
        if sizes
        else op.Split(projected, axis=-1, num_outputs=3)
    )
    q, k, v = (split_heads(op, part, node.attributes["num_heads"]) for part in parts)
    before = (None, None)
    if past is not None:
        before = tuple(op.Squeeze(half, [0]) for half in op.Split(past, axis=0, num_outputs=2))
    done = _attend(op, node, q, k, v, before, mask, scores_bias)
    present: Value | None = None
    if len(node.outputs) > 1:
        present = op.Concat(op.Unsqueeze(done.keys, [0]), op.Unsqueeze(done.values, [0]), axis=0)
    return [done.y, present][: len(node.outputs)]


@contrib_body("MultiHeadAttention")
def multi_head_attention(op: Ops, node: Node) -> Sequence[Value | None]:
    """Attention of queries, keys and values, which may lie in one tensor"""
    mask, scores_bias = node.input(4), node.input(5)
    past_keys, past_values, lengths, beams = (node.input(k) for k in (6, 7, 8, 9))
    if lengths is not None or beams is not None:
        raise UnsupportedOpError("its caches are shared buffers", [node.operator])
    q, k, v = _heads(op, node)
    done = _attend(op, node, q, k, v, (past_keys, past_values), mask, scores_bias)
    return [done.y, done.keys, done.values, done.weights][: len(node.outputs)]


def _heads(op: Ops, node: Node) -> Sequence[Value]:
    """Give queries, keys and values as (batch, heads, length, size), with their biases."""
    q, k, v, bias = node.first_input, node.input(1), node.input(2), node.input(3)
    heads = node.attributes["num_heads"]
    if q.known_rank == 5:  # (batch, length, heads, 3, size)
        return [_unpacked(op, part) for part in op.Split(q, axis=3, num_outputs=3)]
    biases: Sequence[Value | None] = (None, None, None)
    if bias is not None:
        width = dimension(op, q, 2)
        rest = op.Sub(dimension(op, bias, 0), op.Add(width, width))
        biases = op.Split(bias, op.Concat(width, width, rest, axis=0), axis=0, outputs=3)
    parts = [split_heads(op, _plus(op, q, biases[0]), heads)]
    if k is not None and k.known_rank == 5:  # (batch, length, heads, 2, size)
        return [*parts, *(_unpacked(op, part) for part in op.Split(k, axis=3, num_outputs=2))]
    if k is None or v is None:
        raise UnsupportedOpError("it lacks keys or values", [node.operator])
    for part, shift in ((k, biases[1]), (v, biases[2])):
        ready = part.known_rank == 4  # of a cache of another call
        parts.append(part if ready else split_heads(op, _plus(op, part, shift), heads))
    return parts


def _unpacked(op: Ops, part: Value) -> Value:
    """(batch, length, heads, 1, size) → (batch, heads, length, size)"""
    result: Value = op.Transpose(op.Squeeze(part, [3]), perm=[0, 2, 1, 3])
    return result


def _plus(op: Ops, x: Value, bias: Value | None) -> Value:
    return x if bias is None else op.Add(x, bias)


def _attend(
    op: Ops,
    node: Node,
    q: Value,
    k: Value,
    v: Value,
    past: Sequence[Value | None],
    mask: Value | None,
    scores_bias: Value | None,
) -> Attended:
    """softmax(s·q·kᵀ + masks)·v of all heads, joined; q: (batch, heads, length, size)"""
    before = None if past[0] is None else op.Squeeze(dimension(op, past[0], 2))
    keys = k if past[0] is None else op.Concat(past[0], k, axis=2)
    values = v if past[1] is None else op.Concat(past[1], v, axis=2)
    scores = scaled_scores(op, node, q, keys)
    if scores_bias is not None:
        scores = op.Add(scores, as_float32(op, scores_bias))
    if mask is not None:
        scores = op.Add(scores, _penalty(op, node, mask, scores, before))
    if attribute(node, "unidirectional"):
        places, last = numbers(op, scores, 3), numbers(op, scores, 2)
        if before is not None:
            last = op.Add(last, before)
        seen = op.LessOrEqual(places, op.Unsqueeze(last, [1]))
        scores = op.Where(seen, scores, op.like(_LOWEST, scores))
    weights = op.Softmax(scores)
    y = op.MatMul(weights, as_float32(op, values))
    return Attended(join_heads(op, cast_to(op, y, q)), keys, values, cast_to(op, weights, q))


def scaled_scores(op: Ops, node: Node, q: Value, keys: Value) -> Value:
    """s·q·kᵀ, s = 1/√size where none is given; heads may share keys"""
    products = grouped_product(op, as_float32(op, q), as_float32(op, keys), transposed=True)
    scale = node.attributes.get("scale")
    if scale:
        return op.Mul(products, scale)
    size = op.Cast(op.Squeeze(dimension(op, q, 3)), to=products.dtype)
    result: Value = op.Mul(products, op.Reciprocal(op.Sqrt(size)))
    return result


def numbers(op: Ops, x: Value, axis: int) -> Value:
    """Number the places along an axis: 0, 1, …"""
    result: Value = op.Range(0, op.Squeeze(dimension(op, x, axis)), 1)
    return result


def _penalty(op: Ops, node: Node, mask: Value, scores: Value, before: Value | None) -> Value:
    """Give what is added to scores: 0 where the mask lets a key be read, else its filter value.

    mask: 1 where it may, (batch, keys), (batch, queries, keys) or (batch, 1, all, all); or
    lengths, (batch); or ends and then starts, (2·batch).
    """
    if mask.known_rank == 1:
        allowed = _between(op, node, mask, scores)
    elif mask.known_rank == 4:
        first = op.constant([0]) if before is None else op.Unsqueeze(before, [0])
        queries, keys = dimension(op, scores, 2), dimension(op, scores, 3)
        starts = op.Concat(first, [0], axis=0)
        ends = op.Concat(op.Add(first, queries), keys, axis=0)
        allowed = op.Greater(op.Slice(mask, starts, ends, [2, 3]), op.like(0, mask))
    else:
        axes = [1, 2] if mask.rank == 2 else [1]
        allowed = op.Greater(op.Unsqueeze(mask, axes), op.like(0, mask))
    filtered = node.attributes.get("mask_filter_value", -10000.0)
    result: Value = op.Where(allowed, op.like(0, scores), op.like(filtered, scores))
    return result


def _between(op: Ops, node: Node, ends: Value, scores: Value) -> Value:
    """Tell which keys lie before the end, and not before the start where one is given."""
    batch = scores.shape[0] if scores.shape else None
    count = ends.shape[0] if ends.shape else None
    places = op.Cast(numbers(op, scores, 3), to=ends.dtype)
    if count == batch or count == 1:
        return op.Less(places, op.Unsqueeze(ends, [1, 2, 3]))
    if not isinstance(count, int) or not isinstance(batch, int) or count != 2 * batch:
        raise UnsupportedOpError(
            "whether its mask holds lengths, or ends and starts, is not known", [node.operator]
        )
    ends, starts = op.Split(ends, axis=0, num_outputs=2)
    inside = op.Less(places, op.Unsqueeze(ends, [1, 2, 3]))
    result: Value = op.And(inside, op.GreaterOrEqual(places, op.Unsqueeze(starts, [1, 2, 3])))
    return result


@contrib_body("GroupQueryAttention")
def group_query_attention(op: Ops, node: Node) -> Sequence[Value | None]:
    """Causal attention whose heads share keys, which are put into a cache after those before

    Of example b, `seqlens_k` + 1 keys count: those of the cache, then those that are new.
    """
    _refuse(node, "qk_output", "sliding_window_cache", "kv_cache_bit_width")
    if any(node.input(k) is not None for k in (12, 13, 14, 15, 16)):
        raise UnsupportedOpError("it has quantized caches, norms or lengths", [node.operator])
    q, k, v = _grouped_heads(op, node)
    past_keys, past_values = node.input(3), node.input(4)
    lasts, whole = node.input(5), node.input(6)
    assert lasts is not None and whole is not None
    length = dimension(op, q, 2)
    counted = op.Add(op.Cast(op.Reshape(lasts, [-1]), to="int64"), 1)
    before = op.Max(op.Sub(counted, length), 0)  # of each example, how many keys are old
    if attribute(node, "do_rotary"):
        q, k = (_rotated(op, node, x, before) for x in (q, k))
    total = op.Reshape(op.Cast(whole, to="int64"), [1])
    keys = _cached(op, past_keys, k, before, total)
    values = _cached(op, past_values, v, before, total)
    scores = scaled_scores(op, node, q, _up_to(op, keys, total))
    cap = node.attributes.get("softcap", 0.0)
    if cap:
        scores = op.Mul(op.Tanh(op.Div(scores, cap)), cap)
    places = numbers(op, scores, 3)
    if attribute(node, "causal"):
        lines = op.Add(op.Unsqueeze(before, [1]), numbers(op, scores, 2))
        last = op.Unsqueeze(lines, [1, 3])
        seen = op.LessOrEqual(places, last)
        window = attribute(node, "local_window_size")
        if window > 0:
            seen = op.And(seen, op.Greater(places, op.Sub(last, window)))
    else:
        seen = op.Less(places, op.Unsqueeze(counted, [1, 2, 3]))
    bias = node.input(10)
    if bias is not None:
        scores = op.Add(scores, as_float32(op, bias))
    scores = op.Where(seen, scores, op.like(_LOWEST, scores))
    weights = _with_sink(op, node, scores)
    y = grouped_product(op, weights, as_float32(op, _up_to(op, values, total)), transposed=False)
    return [join_heads(op, cast_to(op, y, q)), keys, values][: len(node.outputs)]


def _grouped_heads(op: Ops, node: Node) -> Sequence[Value]:
    q, k, v = node.first_input, node.input(1), node.input(2)
    heads, groups = node.attributes["num_heads"], node.attributes["kv_num_heads"]
    if k is None or v is None:  # all in one, side by side
        size = op.Div(dimension(op, q, 2), [heads + 2 * groups])
        widths = op.Mul(size, [heads, groups, groups])
        q, k, v = op.Split(q, widths, axis=2, outputs=3)
    return [split_heads(op, x, n) for x, n in ((q, heads), (k, groups), (v, groups))]


def _rotated(op: Ops, node: Node, x: Value, before: Value) -> Value:
    cosines, sines, places = node.input(7), node.input(8), node.input(9)
    if cosines is None or sines is None:
        raise UnsupportedOpError("it lacks the caches of cosines and sines", [node.operator])
    if places is None:
        places = op.Add(op.Unsqueeze(before, [1]), numbers(op, x, 2))
    return rotated_heads(op, x, cosines, sines, places, bool(attribute(node, "rotary_interleaved")))


def _cached(op: Ops, past: Value | None, new: Value, before: Value, total: Value) -> Value:
    """Put new keys after those before, of each example; (batch, groups, length, size)"""
    if past is None:
        return new
    length = op.Max(dimension(op, past, 2), total)
    zero = np.zeros(1, np.int64)
    missing = op.Sub(length, dimension(op, past, 2))
    padded = op.Pad(past, op.Concat(zero, missing, axis=0), None, [2])
    places = op.Sub(op.Range(0, op.Squeeze(length), 1), op.Unsqueeze(before, [1]))
    count = dimension(op, new, 2)
    inside = op.And(op.GreaterOrEqual(places, 0), op.Less(places, count))
    found = op.Unsqueeze(op.Clip(places, op.constant(0), op.Squeeze(op.Sub(count, 1))), [1, 3])
    shape = op.Concat(op.Shape(new, end=2), length, dimension(op, new, 3), axis=0)
    moved = op.GatherElements(new, op.Expand(found, shape), axis=2)
    result: Value = op.Where(op.Unsqueeze(inside, [1, 3]), moved, padded)
    return result


def _up_to(op: Ops, cache: Value, total: Value) -> Value:
    result: Value = op.Slice(cache, [0], total, [2])
    return result


def _with_sink(op: Ops, node: Node, scores: Value) -> Value:
    """The softmax of scores beside one more, that of a sink, which reads nothing"""
    sink = node.input(11)
    if sink is None and attribute(node, "smooth_softmax") < 1:
        return op.Softmax(scores)
    column = op.Concat(op.Shape(scores, end=3), [1], axis=0)
    given = op.like(0, scores) if sink is None else op.Unsqueeze(as_float32(op, sink), [1, 2])
    beside = op.Concat(scores, op.Expand(given, column), axis=3)
    result: Value = op.Slice(op.Softmax(beside), [0], [-1], [3])
    return result


def _refuse(node: Node, *settings: str) -> None:
    """Refuse settings that only runtimes on GPUs have."""
    for name in settings:
        if node.attributes.get(name):
            raise UnsupportedOpError(f"its setting {name} is not known", [node.operator])
