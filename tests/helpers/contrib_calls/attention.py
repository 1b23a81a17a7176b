"""Calls of attention and of rotary embeddings."""

from typing import Any

import numpy as np

from .call import Array, Call, Draw, Row, below, floats, maybe, of_bytes, one_of, size


def masks(draw: Draw, batch: int, queries: int, keys: int) -> Array | None:
    """Draw one of the masks that runtimes know; none hides every key."""
    lengths = draw.integers(1, keys + 1, batch)
    rows = np.asarray(np.arange(keys) < lengths[:, None], np.int32)
    squares = np.asarray(draw.random((batch, queries, keys)) < 0.7, np.int32)
    squares[..., 0] = 1
    return one_of(draw, None, rows, squares, np.asarray(lengths, np.int32))


def attention(draw: Draw, cached: bool = False) -> Call:
    batch, length, heads, half = (
        size(draw, 1, 3),
        size(draw, 1, 4),
        size(draw, 1, 3),
        size(draw, 1, 3),
    )
    width, inner, past = 2 * heads * half, size(draw, 2, 5), 2 * cached
    total = length + past
    x, w = floats(draw, batch, length, inner), floats(draw, inner, 3 * width)
    mask: Array | None = masks(draw, batch, length, total)
    if past == 0 and draw.random() < 0.3:
        starts = below(draw, length, batch)
        ends = np.minimum(starts + 1 + below(draw, length, batch), length)
        mask = np.concatenate([ends, starts]).astype(np.int32)
    cache = floats(draw, 2, batch, heads, past, 2 * half) if past else None
    bias = floats(draw, *one_of(draw, (batch, heads), (1, heads), (1, 1)), length, total)
    settings: dict[str, Any] = {"num_heads": heads, "unidirectional": one_of(draw, 0, 1)}
    if draw.random() < 0.3:
        settings["scale"] = 0.4
    if draw.random() < 0.3:
        settings["mask_filter_value"] = -5.0
    added = maybe(draw, bias) if cache is None else None
    return Call([x, w, floats(draw, 3 * width), mask, cache, added], settings)


def attention_with_past(draw: Draw) -> Call:
    return attention(draw, cached=True)


def attention_sizes(draw: Draw) -> Call:
    """Values have a width of their own."""
    heads = size(draw, 1, 3)
    widths = [heads * n for n in (2, 2, size(draw, 1, 4))]
    x, w = floats(draw, 2, 3, 4), floats(draw, 4, sum(widths))
    settings = {"num_heads": heads, "qkv_hidden_sizes": widths}
    return Call([x, w, floats(draw, sum(widths))], settings)


def quantized_attention(draw: Draw) -> Call:
    batch, length, heads = size(draw, 1, 3), size(draw, 1, 4), size(draw, 1, 3)
    width, inner = 2 * heads, size(draw, 2, 5)
    kind = np.uint8
    w_kind = one_of(draw, np.uint8, np.int8)
    scale, w_scale = (np.array(draw.uniform(0.01, 0.02), np.float32) for _ in range(2))
    return Call(
        [
            of_bytes(draw, kind, batch, length, inner),
            of_bytes(draw, w_kind, inner, 3 * width),
            floats(draw, 3 * width),
            scale,
            w_scale,
            masks(draw, batch, length, length),
            of_bytes(draw, kind),
            of_bytes(draw, w_kind),
        ],
        {"num_heads": heads, "unidirectional": one_of(draw, 0, 1)},
    )


def multi_head(draw: Draw, cached: bool = False) -> Call:
    batch, queries, heads, per = (
        size(draw, 1, 3),
        size(draw, 1, 4),
        size(draw, 1, 3),
        size(draw, 1, 4),
    )
    keys, past = size(draw, 1, 4), 2 * cached
    v_per = one_of(draw, per, size(draw, 1, 4)) if not past else per
    width, v_width = heads * per, heads * v_per
    q: Array = floats(draw, batch, queries, width)
    k: Array | None = floats(draw, batch, keys, width)
    v: Array | None = floats(draw, batch, keys, v_width)
    bias: Array | None = maybe(draw, floats(draw, 2 * width + v_width))
    caches: list[Array | None] = [None, None]
    if not past and per == v_per and draw.random() < 0.3:  # of a cache of another call
        k, v = floats(draw, batch, heads, keys, per), floats(draw, batch, heads, keys, v_per)
        bias = None
    elif past:
        caches = [floats(draw, batch, heads, past, per), floats(draw, batch, heads, past, per)]
    total = keys + past
    mask = masks(draw, batch, queries, total)
    added = floats(draw, *one_of(draw, (batch, heads), (1, heads), (1, 1)), queries, total)
    settings: dict[str, Any] = {"num_heads": heads}
    if queries == keys:
        settings["unidirectional"] = one_of(draw, 0, 1)
    if draw.random() < 0.3:
        settings["scale"] = 0.4
    return Call([q, k, v, bias, mask, maybe(draw, added), *caches], settings)


def multi_head_with_past(draw: Draw) -> Call:
    return multi_head(draw, cached=True)


def angles(draw: Draw, positions: int, pairs: int) -> tuple[Array, Array]:
    turns = draw.uniform(-3, 3, (positions, pairs))
    return np.cos(turns).astype(np.float32), np.sin(turns).astype(np.float32)


def rotary(draw: Draw) -> Call:
    batch, length, heads, half = (
        size(draw, 1, 3),
        size(draw, 1, 4),
        size(draw, 1, 3),
        size(draw, 1, 4),
    )
    settings: dict[str, Any] = {"interleaved": one_of(draw, 0, 1)}
    pairs, per = half, 2 * half
    shape: tuple[int, ...] = (batch, length, heads * per)
    if draw.random() < 0.4:
        pairs = size(draw, 1, half)
        settings |= {"num_heads": heads, "rotary_embedding_dim": 2 * pairs}
    elif draw.random() < 0.5:
        shape = (batch, heads, length, per)
    places = one_of(
        draw, below(draw, 8, batch, length, dtype=np.int64), below(draw, 4, 1, dtype=np.int64)
    )
    return Call([floats(draw, *shape), places, *angles(draw, 8, pairs)], settings)


def grouped(draw: Draw) -> Call:
    batch, groups, share, half = size(draw, 1, 3), size(draw, 1, 2), size(draw, 1, 3), 8
    heads, per = groups * share, 2 * half
    first = draw.random() < 0.5
    past = 0 if first else size(draw, 1, 3)
    length = size(draw, 1, 4) if first or batch == 1 else 1
    total = past + length
    counted = np.full(batch, total) if first else draw.integers(length, total + 1, batch)
    counted[0] = total
    q, k, v = (floats(draw, batch, length, n * per) for n in (heads, groups, groups))
    caches: list[Array | None] = [None, None]
    if past or draw.random() < 0.3:
        room = past + one_of(draw, 0, length, length + 2)
        caches = [floats(draw, batch, groups, room, per) for _ in range(2)]
    settings: dict[str, Any] = {"num_heads": heads, "kv_num_heads": groups}
    rotation: list[Array | None] = [None, None]
    if draw.random() < 0.5:
        settings |= {"do_rotary": 1, "rotary_interleaved": one_of(draw, 0, 1)}
        rotation = [*angles(draw, 12, half)]
    settings |= one_of(draw, {}, {"local_window_size": 2}, {"softcap": 3.0}, {"smooth_softmax": 1})
    if draw.random() < 0.3:
        settings["scale"] = 0.4
    packed = draw.random() < 0.3
    qkv: list[Array | None] = [q, k, v]
    if packed:
        qkv = [np.concatenate([q, k, v], axis=2), None, None]
    lasts, whole = np.asarray(counted - 1, np.int32), np.array(total, np.int32)
    return Call([*qkv, *caches, lasts, whole, *rotation], settings)


def first_prompt(draw: Draw) -> Call:
    """Without a cache before, so that every row of the one after has a meaning."""
    call = grouped(draw)
    while call.inputs[3] is not None:
        call = grouped(draw)
    return call


ROWS = [
    Row("Attention", attention),
    Row("Attention", attention_with_past, ("y", "present"), label="past"),
    Row("Attention", attention_sizes, label="sizes"),
    Row("MultiHeadAttention", multi_head),
    Row("MultiHeadAttention", multi_head_with_past, ("y", "keys", "values"), label="past"),
    Row("GroupQueryAttention", grouped, ("y", "keys", "values"), compared=1),
    Row("GroupQueryAttention", first_prompt, ("y", "keys", "values"), label="prompt"),
    Row("RotaryEmbedding", rotary),
    Row("QAttention", quantized_attention, half=False, smooth=False),
]
