"""Body of Attention: what the call does not use is not emitted."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..emission.positions import dimension
from ..graph.ir import Node, Value
from ..standard.schemas import attribute
from .registry import standard_body


@standard_body("Attention")
def attention(op: Ops, node: Node) -> Sequence[Value | None]:
    """y = softmax(softcap(s·q·kᵀ) + bias)·v, heads apart; a row that is masked as a whole is zero.

    q: (batch, heads, queries, size), k and v: (batch, groups, keys, …); heads / groups
    neighboring heads read the same keys and values. q and k each take √s, as the standard asks.
    """
    q, k, v = node.required(3)
    mask, past_k, past_v, lengths = node.input(3), node.input(4), node.input(5), node.input(6)
    settings = node.attributes
    heads, groups = settings.get("q_num_heads"), settings.get("kv_num_heads")
    joined = q.known_rank == 3
    if joined and heads is not None and groups is not None:
        q, k, v = split_heads(op, q, heads), split_heads(op, k, groups), split_heads(op, v, groups)
    if past_k is not None and past_v is not None:
        k, v = op.Concat(past_k, k, axis=2), op.Concat(past_v, v, axis=2)
    root = cast_to(op, op.Sqrt(_scale(op, q, settings.get("scale"))), q)
    raw = grouped_product(op, op.Mul(q, root), op.Mul(k, root), transposed=True)
    capped = _cap(op, raw, settings.get("softcap", 0.0))
    scores, live = _masked(op, node, capped, mask, _offset(op, q, past_k, lengths), lengths)
    weights = cast_to(op, _softmax(op, scores, live, settings.get("softmax_precision")), q)
    y = grouped_product(op, weights, cast_to(op, v, q), transposed=False)
    shown = [raw, capped, scores, weights][settings.get("qk_matmul_output_mode", 0)]
    return [join_heads(op, y) if joined else y, k, v, shown][: len(node.outputs)]


def split_heads(op: Ops, x: Value, heads: int) -> Value:
    """(batch, length, heads·size) → (batch, heads, length, size)"""
    size = op.Div(dimension(op, x, 2), [heads])
    shape = op.Concat(op.Shape(x, end=2), [heads], size, axis=0)
    return op.Transpose(op.Reshape(x, shape, allowzero=1), perm=[0, 2, 1, 3])


def join_heads(op: Ops, y: Value) -> Value:
    """(batch, heads, length, size) → (batch, length, heads·size)"""
    width = op.Mul(dimension(op, y, 1), dimension(op, y, 3))
    shape = op.Concat(dimension(op, y, 0), dimension(op, y, 2), width, axis=0)
    return op.Reshape(op.Transpose(y, perm=[0, 2, 1, 3]), shape, allowzero=1)


def _scale(op: Ops, q: Value, scale: float | None) -> Value:
    """Give the scale of the scores, 1/√size where none is given, in float64."""
    if scale is not None:
        return op.constant(np.float64(scale))
    size = op.Cast(op.Squeeze(dimension(op, q, 3)), to="float64")
    return op.Div(1.0, op.Sqrt(size))


def grouped_product(op: Ops, a: Value, b: Value, transposed: bool) -> Value:
    """a·b, or a·bᵀ, per head; heads that share a group are rows of one product.

    a: (batch, heads, rows, n); b: (batch, groups, …).
    """
    b = op.Transpose(b, perm=[0, 1, 3, 2]) if transposed else b
    if a.shape and b.shape and a.shape[1] == b.shape[1]:
        return op.MatMul(a, b)
    groups = dimension(op, b, 1)
    rows = op.Div(op.Mul(dimension(op, a, 1), dimension(op, a, 2)), groups)
    stacked = op.Concat(dimension(op, a, 0), groups, rows, dimension(op, a, 3), axis=0)
    product = op.MatMul(op.Reshape(a, stacked, allowzero=1), b)
    shape = op.Concat(op.Shape(a, end=3), dimension(op, b, 3), axis=0)
    result = op.Reshape(product, shape, allowzero=1)
    return result


def _cap(op: Ops, scores: Value, cap: float) -> Value:
    """cap·tanh(scores/cap), nothing for a cap of 0"""
    if not cap:
        return scores
    return op.Mul(op.Tanh(op.Div(scores, cap)), cap)


def _offset(op: Ops, q: Value, past: Value | None, lengths: Value | None) -> Value | None:
    """Give how many keys precede the first query; None: none do."""
    if past is not None:
        return op.Squeeze(dimension(op, past, 2))
    if lengths is not None:
        before = op.Sub(lengths, dimension(op, q, 2))
        result = op.Unsqueeze(before, [1, 2, 3])
        return result
    return None


def _masked(
    op: Ops,
    node: Node,
    scores: Value,
    mask: Value | None,
    offset: Value | None,
    lengths: Value | None,
) -> tuple[Value, Value | None]:
    """Add the bias to the scores; tell which rows have keys, None where all rows do.

    The causal bound alone leaves every query its first key, unless valid keys are fewer than
    queries.
    """
    allowed = _bounds(op, node, scores, offset)
    whole = attribute(node, "is_causal") and len(allowed) == 1
    if lengths is not None:
        numbers = op.Range(0, op.Squeeze(dimension(op, scores, 3)), 1)
        allowed.append(op.Less(numbers, op.Unsqueeze(lengths, [1, 2, 3])))
        whole = False
    bias = None
    if mask is not None:
        mask = _lengthened(op, mask, scores)
        if mask.dtype == np.bool_:
            allowed.append(mask)
        else:
            bias = cast_to(op, mask, scores)
        whole = False
    minus_infinity = op.like(-np.inf, scores)
    masked = scores if bias is None else op.Add(scores, bias)
    if allowed:
        chosen = reduce(op.And, allowed)
        masked = op.Where(chosen, masked, minus_infinity)
        bias = op.Where(chosen, op.like(0, scores) if bias is None else bias, minus_infinity)
    if masked.shape != scores.shape:  # a mask of other sizes than these must not stretch them
        masked = op.Reshape(masked, op.Shape(scores), allowzero=1)
    if bias is None or whole:
        return masked, None
    return masked, op.Greater(op.ReduceMax(bias, [-1], keepdims=1), minus_infinity)


def _bounds(op: Ops, node: Node, scores: Value, offset: Value | None) -> list[Value]:
    """Give where a key may be read by its distance from the query, for each bound there is."""
    left = attribute(node, "left_window_size")
    right = attribute(node, "right_window_size")
    if attribute(node, "is_causal"):
        right = 0
    if left < 0 and right < 0:
        return []
    keys = op.Range(0, op.Squeeze(dimension(op, scores, 3)), 1)
    queries = op.Unsqueeze(op.Range(0, op.Squeeze(dimension(op, scores, 2)), 1), [1])
    distance = op.Sub(keys, queries if offset is None else op.Add(queries, offset))
    bounds = [op.LessOrEqual(distance, right)] if right >= 0 else []
    return bounds + ([op.GreaterOrEqual(distance, -left)] if left >= 0 else [])


def _lengthened(op: Ops, mask: Value, scores: Value) -> Value:
    """Mask the keys that the mask is too short for."""
    if mask.shape and scores.shape and mask.shape[-1] == scores.shape[-1]:
        return mask
    missing = op.Sub(dimension(op, scores, 3), dimension(op, mask, -1))
    outside = np.array(False) if mask.dtype == np.bool_ else op.like(-np.inf, mask)
    return op.Pad(mask, op.Concat([0], missing, axis=0), outside, [-1])


def _softmax(op: Ops, scores: Value, live: Value | None, precision: int | None) -> Value:
    """Give the softmax of each row; rows without keys are zero and keep NaN out of gradients."""
    scores = scores if precision is None else op.Cast(scores, to=precision)
    if live is None:
        return op.Softmax(scores)
    zero = op.like(0, scores)
    result = op.Where(live, op.Softmax(op.Where(live, scores, zero)), zero)
    return result
