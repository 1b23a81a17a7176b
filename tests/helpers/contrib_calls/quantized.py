"""Calls of operators on quantized tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .call import (
    Array,
    Call,
    Draw,
    Row,
    below,
    broadcast_batches,
    floats,
    maybe,
    of_bytes,
    one_of,
    size,
)


def scale(draw: Draw, *shape: int, low: float = 0.01, high: float = 0.05) -> Array:
    return np.asarray(draw.uniform(low, high, shape), np.float32)


def kinds(draw: Draw) -> Any:
    return one_of(draw, np.uint8, np.int8)


def quantized(draw: Draw, kind: Any, *shape: int) -> list[Array]:
    """Draw a tensor, its scale and its zero point."""
    return [of_bytes(draw, kind, *shape), scale(draw), of_bytes(draw, kind)]


def pair(draw: Draw) -> Call:
    kind, shape = kinds(draw), [size(draw) for _ in range(size(draw, 1, 3))]
    other = one_of(draw, shape, shape[-1:])
    inputs = [*quantized(draw, kind, *shape), *quantized(draw, kind, *other)]
    return Call([*inputs, scale(draw, low=0.03, high=0.1), of_bytes(draw, kind)])


def unary(
    shape: Callable[[Draw], list[int]], **settings: Callable[[Draw], Any]
) -> Callable[[Draw], Call]:
    def draw_call(draw: Draw) -> Call:
        kind = kinds(draw)
        inputs = quantized(draw, kind, *shape(draw))
        given = {name: choose(draw) for name, choose in settings.items()}
        return Call([*inputs, scale(draw), of_bytes(draw, kind)], given, (1, 2, 3, 4))

    return draw_call


def any_shape(draw: Draw) -> list[int]:
    return [size(draw) for _ in range(size(draw, 1, 3))]


def images(draw: Draw) -> list[int]:
    return [size(draw, 1, 2), *(size(draw, 4, 6) for _ in range(3))]


def softmax(draw: Draw) -> Call:
    kind = kinds(draw)
    inputs = [
        of_bytes(draw, kind, *(size(draw, 2, 5) for _ in range(3))),
        scale(draw),
        of_bytes(draw, kind),
    ]
    zero = np.array(0 if kind is np.uint8 else -128, kind)
    settings = {"axis": one_of(draw, -1, 1), "opset": one_of(draw, 12, 13)}
    return Call([*inputs, np.array(1 / 256, np.float32), zero], settings, (1, 2, 3, 4))


def concat(draw: Draw) -> Call:
    kind, rest, axis = kinds(draw), size(draw), 1
    parts = [quantized(draw, kind, 2, size(draw), rest) for _ in range(size(draw, 1, 3))]
    inputs = [scale(draw), of_bytes(draw, kind), *(v for part in parts for v in part)]
    held = tuple(k for k in range(len(inputs)) if k < 2 or k % 3 != 2)
    return Call(inputs, {"axis": axis}, held)


def where(draw: Draw) -> Call:
    kind, shape = kinds(draw), [size(draw) for _ in range(3)]
    condition = draw.random(shape) < 0.5
    inputs = [condition, *quantized(draw, kind, *shape), *quantized(draw, kind, *shape)]
    return Call([*inputs, scale(draw), of_bytes(draw, kind)])


def conv(draw: Draw) -> Call:
    last = one_of(draw, 0, 1)
    channels, maps, kernel = size(draw, 1, 3), size(draw, 1, 3), size(draw, 1, 3)
    image = [2, 6, 7, channels] if last else [2, channels, 6, 7]
    x, x_scale, x_zero = quantized(draw, np.uint8, *image)
    w_scale = scale(draw, maps)
    w = of_bytes(draw, np.int8, maps, channels, kernel, kernel)
    bias = below(draw, 500, maps)
    inputs = [
        x,
        x_scale,
        x_zero,
        w,
        w_scale,
        np.zeros(maps, np.int8),
        scale(draw, low=0.1, high=0.5),
    ]
    settings = {"channels_last": last, "strides": [size(draw, 1, 2)] * 2, "pads": [1, 0, 1, 0]}
    return Call(
        [*inputs, of_bytes(draw, np.uint8), maybe(draw, bias)], settings, tuple(range(1, 9))
    )


def product(draw: Draw, scaled: bool, kind: Any, b_kind: Any) -> tuple[list[Array | None], int]:
    m, k, n = (size(draw, 1, 6) for _ in range(3))
    batch, _ = broadcast_batches(draw)
    columns = one_of(draw, (), (n,))
    a = of_bytes(draw, kind, *batch, m, k) if scaled else floats(draw, *batch, m, k)
    return [
        a,
        of_bytes(draw, b_kind, k, n),
        scale(draw, *columns),
        of_bytes(draw, b_kind, *columns),
    ], n


def integer_to_float(draw: Draw) -> Call:
    kind, b_kind = one_of(draw, (np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8))
    (a, b, b_scale, b_zero), n = product(draw, True, kind, b_kind)
    a_zero, bias = maybe(draw, of_bytes(draw, kind)), maybe(draw, floats(draw, n))
    return Call([a, b, scale(draw), b_scale, a_zero, b_zero, bias])


def dynamic_matmul(draw: Draw) -> Call:
    (a, b, b_scale, b_zero), n = product(draw, False, None, kinds(draw))
    return Call([a, b, b_scale, maybe_none(draw, b_zero), maybe(draw, floats(draw, n))])


def maybe_none(draw: Draw, array: Array | None) -> Array | None:
    return array if draw.random() < 0.6 else None


def qgemm(draw: Draw) -> Call:
    m, k, n = (size(draw, 1, 6) for _ in range(3))
    across, along = one_of(draw, 0, 1), one_of(draw, 0, 1)
    kind, b_kind = one_of(draw, (np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8))
    a = of_bytes(draw, kind, *((k, m) if across else (m, k)))
    b = of_bytes(draw, b_kind, *((n, k) if along else (k, n)))
    columns = one_of(draw, (), (n,))
    inputs: list[Array | None] = [a, scale(draw), of_bytes(draw, kind)]
    inputs += [b, scale(draw, *columns), of_bytes(draw, b_kind, *columns)]
    inputs.append(maybe(draw, below(draw, 2000, *one_of(draw, (n,), (m, n)))))
    if draw.random() < 0.5:
        inputs += [scale(draw, low=0.1, high=0.5), of_bytes(draw, kind)]
    return Call(inputs, {"transA": across, "transB": along, "alpha": float(draw.uniform(0.5, 2))})


def quantize(draw: Draw) -> Call:
    kind = one_of(draw, np.uint8, np.int8, np.uint16, np.int16)
    x = floats(draw, size(draw), size(draw), size(draw), scale=3)
    axis = one_of(draw, None, 0, 1, 2)
    shape = () if axis is None else (x.shape[axis],)
    limits = np.iinfo(kind)
    zero = np.asarray(draw.integers(limits.min, limits.max + 1, shape), kind)
    return Call([x, scale(draw, *shape), zero], {} if axis is None else {"axis": axis}, (2,))


def dequantize(draw: Draw) -> Call:
    call = quantize(draw)
    x, scales, zero = call.inputs
    assert x is not None and zero is not None
    limits = np.iinfo(zero.dtype)
    steps = np.asarray(draw.integers(limits.min, limits.max + 1, x.shape), zero.dtype)
    return Call([steps, scales, zero], call.attributes)


def lstm(draw: Draw) -> Call:
    steps, batch, width, hidden = size(draw, 1, 4), 1, size(draw, 1, 4), size(draw, 1, 4)
    directions = one_of(draw, ["forward"], ["reverse"], ["bidirectional", ""])
    count, kind = len(directions), kinds(draw)
    columns = one_of(draw, (), (4 * hidden,))

    def weights(rows: int) -> list[Array]:
        w = of_bytes(draw, kind, count, rows, 4 * hidden)
        zero = np.full((count, *columns), draw.integers(100, 140) if kind is np.uint8 else 0, kind)
        return [w, scale(draw, count, *columns, low=0.003, high=0.01), zero]

    w, w_scale, w_zero = weights(width)
    r, r_scale, r_zero = weights(hidden)
    bias = maybe(draw, floats(draw, count, 8 * hidden))
    states = [maybe(draw, floats(draw, count, batch, hidden)) for _ in range(2)]
    peepholes = maybe(draw, floats(draw, count, 3 * hidden))
    x = floats(draw, steps, batch, width)
    inputs = [x, w, r, bias, None, *states, peepholes, w_scale, w_zero, r_scale, r_zero]
    settings = {"hidden_size": hidden, "direction": directions[0]}
    return Call(inputs, settings, (1, 2, 8, 9, 10, 11))


POOL = {
    "kernel_shape": lambda draw: [size(draw, 1, 3), size(draw, 1, 3)],
    "strides": lambda draw: [size(draw, 1, 2), size(draw, 1, 2)],
    "pads": lambda draw: [0, 0, 0, 0],
    "channels_last": lambda draw: one_of(draw, 0, 1),
}

ROWS = [
    Row(op, draw, half=False, steps=steps, smooth=False)
    for op, draw, steps in (
        ("QLinearAdd", pair, 1),
        ("QLinearMul", pair, 1),
        ("QLinearSigmoid", unary(any_shape), 1),
        ("QLinearLeakyRelu", unary(any_shape, alpha=lambda draw: 0.1), 1),
        ("QLinearSoftmax", softmax, 1),
        ("QLinearAveragePool", unary(images, **POOL), 1),
        (
            "QLinearGlobalAveragePool",
            unary(images, channels_last=lambda draw: one_of(draw, 0, 1)),
            1,
        ),
        ("QLinearConcat", concat, 1),
        ("QLinearWhere", where, 1),
        ("QLinearConv", conv, 1),
        ("QGemm", qgemm, 1),
        ("MatMulIntegerToFloat", integer_to_float, 0),
        ("DynamicQuantizeMatMul", dynamic_matmul, 0),
        ("QuantizeLinear", quantize, 1),
        ("DequantizeLinear", dequantize, 0),
    )
] + [Row("DynamicQuantizeLSTM", lstm, ("y", "h", "c"), half=False, smooth=False)]
