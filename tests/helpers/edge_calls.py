"""Random calls of rarely used operators: rank 0, one element, inputs and settings left out."""

from collections.abc import Callable
from typing import Any

import numpy as np
from exact_calls import Array, Call, Random

TEXTS = np.array(["a b", "", "b,c", "  x ", "a-b-c", "HeLLo"], object)


def _floats(random: Random, *shape: int) -> Array:
    return np.asarray(random.normal(size=shape), np.float32)


def _positive(random: Random, *shape: int) -> Array:
    return np.asarray(np.abs(_floats(random, *shape)) + 0.01, np.float32)


def _bits(random: Random, dtype: Any, *shape: int) -> Array:
    limits = np.iinfo(dtype)
    return np.asarray(random.integers(limits.min, limits.max + 1, shape), dtype)


def _sizes(random: Random, least: int = 0, most: int = 3) -> list[int]:
    return [int(n) for n in random.integers(1, 4, random.integers(least, most + 1))]


def _texts(random: Random, *shape: int) -> Array:
    return np.asarray(random.choice(TEXTS, shape), object)


def _maybe(random: Random, *inputs: Array) -> list[Array | None]:
    """Leave out some inputs, and the last ones altogether."""
    kept = [a if random.integers(2) else None for a in inputs]
    while kept and kept[-1] is None:
        kept.pop()
    return kept


def _some(random: Random, **attributes: Any) -> dict[str, Any]:
    return {name: a for name, a in attributes.items() if random.integers(2)}


def _window(random: Random, op: str) -> Call:
    return Call(op, [np.array(random.integers(0, 6))], _some(random, periodic=0))


def _col2im(random: Random, op: str) -> Call:
    rank = int(random.integers(1, 3))
    block, more, stride = (random.integers(low, 3, rank) for low in (1, 0, 1))
    columns = 2 * int(block.prod()), int(np.prod(more // stride + 1))
    return Call(op, [_floats(random, 1, *columns), block + more, block], {"strides": list(stride)})


def _convolution(random: Random, w_dtype: Any) -> tuple[Array, Array, dict[str, Any]]:
    """Draw x and w of one to three spatial axes, some grouped, some padded."""
    rank, group = int(random.integers(1, 4)), int(random.integers(1, 3))
    channels, maps = (group * int(n) for n in random.integers(1, 3, 2))
    x = _bits(random, np.uint8, 2, channels, *random.integers(2, 5, rank))
    w = _bits(random, w_dtype, maps, channels // group, *random.integers(1, 3, rank))
    pads = [int(n) for n in random.integers(0, 2, 2 * rank)]
    return x, w, _some(random, pads=pads) | {"group": group}


def _conv_integer(random: Random, op: str) -> Call:
    x, w, settings = _convolution(random, np.uint8)
    one = [1] if random.integers(2) else []
    zeros = _maybe(random, _bits(random, np.uint8), _bits(random, np.uint8, *one))
    return Call(op, [x, w, *zeros], settings)


def _qlinear_conv(random: Random, op: str) -> Call:
    x, w, settings = _convolution(random, np.int8)
    each = [len(w)] if random.integers(2) else []
    of_x = [x, _positive(random), _bits(random, np.uint8)]
    of_w = [w, _positive(random, *each), np.full(each, random.integers(-9, 9), np.int8)]
    of_y = [np.asarray(_positive(random) * 300, np.float32), _bits(random, np.uint8)]
    bias = _maybe(random, np.asarray(random.integers(-99, 99, len(w)), np.int32))
    return Call(op, [*of_x, *of_w, *of_y, *bias], settings)


def _matrices(random: Random) -> tuple[Array, Array]:
    """Draw a vector, a matrix or several of them, and what may stand to the right."""
    rows, inner, columns = (int(n) for n in random.integers(1, 4, 3))
    lead = [[], [rows], [2, rows]][int(random.integers(3))]
    return _bits(random, np.uint8, *lead, inner), _bits(random, np.int8, inner, columns)


def _matmul_integer(random: Random, op: str) -> Call:
    a, b = _matrices(random)
    each = [b.shape[1]] if random.integers(2) else []
    zeros = _maybe(random, _bits(random, np.uint8), _bits(random, np.int8, *each))
    return Call(op, [a, b, *zeros])


def _qlinear_matmul(random: Random, op: str) -> Call:
    a, b = _matrices(random)
    each = [b.shape[1]] if random.integers(2) else []
    of_a = [a, _positive(random), _bits(random, np.uint8)]
    of_b = [b, _positive(random, *each), _bits(random, np.int8, *each)]
    of_y = [np.asarray(_positive(random) * 100, np.float32), _bits(random, np.uint8)]
    return Call(op, [*of_a, *of_b, *of_y])


def _granularity(random: Random, sizes: list[int]) -> tuple[list[int], dict[str, Any]]:
    """Draw the shape of a scale: one for all, for each place along an axis, or for blocks."""
    kind = int(random.integers(3)) if sizes else 0
    if kind == 0:
        return [], {}
    axis = int(random.integers(len(sizes)))
    if kind == 1:
        return [sizes[axis]], {"axis": axis}
    block = int(random.integers(1, 3))
    blocks = [-(-n // block) if k == axis else n for k, n in enumerate(sizes)]
    return blocks, {"axis": axis, "block_size": block}


def _dequantize(random: Random, op: str) -> Call:
    sizes = _sizes(random)
    of_scale, settings = _granularity(random, sizes)
    zero = _maybe(random, _bits(random, np.int8, *of_scale))
    return Call(op, [_bits(random, np.int8, *sizes), _positive(random, *of_scale), *zero], settings)


def _quantize(random: Random, op: str) -> Call:
    sizes = _sizes(random)
    of_scale, settings = _granularity(random, sizes)
    zero = _maybe(random, _bits(random, np.uint8, *of_scale))
    return Call(op, [_floats(random, *sizes), _positive(random, *of_scale), *zero], settings)


def _dynamic_quantize(random: Random, op: str) -> Call:
    return Call(op, [_floats(random, *_sizes(random))], outputs=3)


def _dft(random: Random, op: str) -> Call:
    sizes = [*_sizes(random, 1, 3), int(random.integers(1, 3))]
    axis = np.array(random.integers(-len(sizes), -1))
    rest = _maybe(random, np.array(random.integers(1, 7)), axis)
    return Call(op, [_floats(random, *sizes), *rest], _some(random, inverse=1))


def _max_unpool(random: Random, op: str) -> Call:
    rank = int(random.integers(1, 3))
    sizes, kernel = ([int(n) for n in random.integers(1, 4, rank)] for _ in range(2))
    places = int(np.prod(sizes)) + int(np.sum(kernel)) - rank
    order = random.permutation(places)[: int(np.prod(sizes))]
    x = _floats(random, 1, 1, *sizes)
    return Call(op, [x, order.reshape(x.shape)], {"kernel_shape": kernel})


def _mel(random: Random, op: str) -> Call:
    bins, length = (np.array(random.integers(low, 20)) for low in (1, 4))
    ends = (np.array(random.uniform(low, low + 20), np.float32) for low in (0, 20))
    return Call(op, [bins, length, np.array(8000), *ends])


def _non_max_suppression(random: Random, op: str) -> Call:
    images, boxes, classes = (int(n) for n in random.integers(1, (3, 7, 4)))
    one = [1] if random.integers(2) else []
    most = np.full(one, random.integers(0, 4))
    thresholds = (np.full(one, random.uniform(0, 0.6), np.float32) for _ in range(2))
    places = random.uniform(0, 1, (images, boxes, 4)).astype(np.float32)
    scores = random.uniform(0, 1, (images, classes, boxes)).astype(np.float32)
    given = _maybe(random, most, *thresholds)
    return Call(op, [places, scores, *given], _some(random, center_point_box=1))


def _reverse_sequence(random: Random, op: str) -> Call:
    sizes = _sizes(random, 2, 4)
    settings = _some(random, axes=0)
    time, batch = (1, 0) if settings else (0, 1)
    lengths = random.integers(1, sizes[time] + 1, sizes[batch])
    axes = {"batch_axis": batch, "time_axis": time} if settings else {}
    return Call(op, [_floats(random, *sizes), lengths], axes)


def _string_concat(random: Random, op: str) -> Call:
    sizes = _sizes(random)
    return Call(op, [_texts(random, *sizes), _texts(random, *sizes[random.integers(4) :])])


def _string_normalizer(random: Random, op: str) -> Call:
    sizes = [1, 3] if random.integers(2) else [3]
    case = str(random.choice(["LOWER", "UPPER", "NONE"]))
    words = {"stopwords": ["a b", "hello"], "case_change_action": case, "is_case_sensitive": 1}
    # onnxruntime lacks other locales where they are not installed
    return Call(op, [_texts(random, *sizes)], {"locale": "C.UTF-8", **_some(random, **words)})


def _string_split(random: Random, op: str) -> Call:
    x = _texts(random, *_sizes(random, 0, 2))
    settings = _some(random, delimiter=str(random.choice(["-", ","])), maxsplit=1)
    if "delimiter" in settings:  # onnxruntime finds no part in an empty text, Python one
        x[x == ""] = "a"
    return Call(op, [x], settings, 2)


def _full_match(random: Random, op: str) -> Call:
    return Call(op, [_texts(random, *_sizes(random))], {"pattern": "a.*"})


def _tf_idf(random: Random, op: str) -> Call:
    mode = str(random.choice(["TF", "IDF", "TFIDF"]))
    grams = {"ngram_counts": [0, 3], "ngram_indexes": [0, 1, 2, 3, 4]}
    lengths = {"min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 1}
    weights = _some(random, weights=[0.5, 1.0, 2.0, -1.0, 3.0])
    settings = {"mode": mode, "pool_int64s": [1, 2, 3, 1, 2, 2, 3], **grams, **lengths, **weights}
    return Call(op, [random.integers(1, 5, [2, 5] if random.integers(2) else [5])], settings)


def _grid_sample(random: Random, op: str) -> Call:
    padding = str(random.choice(["zeros", "border", "reflection"]))
    x = _floats(random, 1, 2, *random.integers(1, 4, 2))
    grid = random.uniform(-1.5, 1.5, (1, 2, 2, 2)).astype(np.float32)
    return Call(op, [x, grid], _some(random, padding_mode=padding, align_corners=1))


EDGES: dict[str, Callable[[Random, str], Call]] = {
    **dict.fromkeys(["BlackmanWindow", "HammingWindow", "HannWindow"], _window),
    "Col2Im": _col2im,
    "ConvInteger": _conv_integer,
    "DFT": _dft,
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "GridSample": _grid_sample,
    "MatMulInteger": _matmul_integer,
    "MaxUnpool": _max_unpool,
    "MelWeightMatrix": _mel,
    "NonMaxSuppression": _non_max_suppression,
    "QLinearConv": _qlinear_conv,
    "QLinearMatMul": _qlinear_matmul,
    "QuantizeLinear": _quantize,
    "RegexFullMatch": _full_match,
    "ReverseSequence": _reverse_sequence,
    "StringConcat": _string_concat,
    "StringNormalizer": _string_normalizer,
    "StringSplit": _string_split,
    "TfIdfVectorizer": _tf_idf,
}
"""How calls of each operator are drawn."""
