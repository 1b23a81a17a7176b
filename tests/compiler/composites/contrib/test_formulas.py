"""Operators that onnxruntime runs on GPUs only, or in fewer forms on CPUs, against formulas."""

import math
from typing import Any

import numpy as np
from contrib_calls import Call, Row, graph_of
from contrib_calls.call import feeds_of, floats, of_bytes

import onnxgrad as og

DRAW = np.random.default_rng(5)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def tanh_gelu(x: Any) -> Any:
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def check(op: str, inputs: Any, expected: Any, outputs: Any = ("y",), **attributes: Any) -> None:
    call = Call(inputs, attributes)
    domain = "" if op == "Scale" else "com.microsoft"
    row = Row(op, lambda draw: call, outputs, domain=domain, opset=9 if op == "Scale" else 17)
    graph = graph_of(row, call)
    for backend in ("numpy", "onnxruntime"):
        found = og.compile(graph, backend).run(feeds_of(call))
        for actual, wanted in zip(found.values(), expected, strict=True):
            np.testing.assert_allclose(actual, wanted, rtol=2e-5, atol=2e-5)


def test_activations() -> None:
    x, w, b = floats(DRAW, 3, 4), floats(DRAW, 4, 6), floats(DRAW, 6)
    check("GemmFastGelu", [x, w, b], [tanh_gelu(x @ w + b)])
    check("ScaledSiLU", [x], [0.5 * x * sigmoid(0.5 * x)], alpha=0.5)
    check("Scale", [x], [2.5 * x], scale=2.5)
    wide = floats(DRAW, 2, 3, 8)
    bias = floats(DRAW, 8)
    a, g = np.split(wide + bias, 2, axis=-1)
    erf = np.vectorize(math.erf)
    check("BiasSplitGelu", [wide, bias], [a * g / 2 * (1 + erf(g / np.sqrt(2)))])


def test_sums() -> None:
    x, bias, skip = floats(DRAW, 2, 3, 4), floats(DRAW, 4), floats(DRAW, 2, 3, 4)
    check("BiasAdd", [x, bias, skip], [x + bias + skip])
    check("BiasDropout", [x, bias, skip], [x + bias + skip])


def test_softmax_with_a_bias() -> None:
    x = floats(DRAW, 2, 3, 4, 5)
    for axis, inner, shape in ((3, 0, (1, 1, 1, 5)), (2, 0, (1, 1, 4, 5)), (2, 1, (2, 1, 4, 5))):
        bias = floats(DRAW, *shape)
        e = np.exp(x + bias)
        expected = e / e.sum(axis=tuple(range(axis, 4)), keepdims=True)
        check("BiasSoftmax", [x, bias], [expected], axis=axis, is_inner_broadcast=inner)


def test_groups() -> None:
    x, skip = floats(DRAW, 2, 3, 5, 4), floats(DRAW, 2, 3, 5, 4)
    gamma, beta, bias = floats(DRAW, 4), floats(DRAW, 4), floats(DRAW, 4)

    def normalized(x: Any) -> Any:
        apart = x.reshape(2, 15, 2, 2)
        mean, var = (f(apart, axis=(1, 3), keepdims=True) for f in (np.mean, np.var))
        y = ((apart - mean) / np.sqrt(var + 1e-5)).reshape(x.shape) * gamma + beta
        return y * sigmoid(y)

    settings = {"groups": 2, "activation": 1}
    check("GroupNorm", [x, gamma, beta], [normalized(x)], **settings)
    total = x + skip + bias
    given = [x, gamma, beta, skip, bias]
    check("SkipGroupNorm", given, [normalized(total), total], ("y", "sum"), **settings)


def test_channels_last() -> None:
    x, w, b = floats(DRAW, 2, 6, 5, 3), floats(DRAW, 4, 3, 3, 3), floats(DRAW, 4)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
    expected = np.einsum("nhwcij,ocij->nhwo", windows, w) + b
    turned = np.ascontiguousarray(w.transpose(0, 2, 3, 1))
    check("NhwcConv", [x, turned, b], [expected])
    z = floats(DRAW, *expected.shape)
    fused = np.maximum(expected + z, 0)
    check("NhwcFusedConv", [x, turned, b, z], [fused], activation="Relu")
    image = of_bytes(DRAW, np.uint8, 2, 6, 5, 3)
    views = np.lib.stride_tricks.sliding_window_view(image, (2, 2), (1, 2))
    check("NhwcMaxPool", [image], [views.max((-1, -2))], kernel_shape=[2, 2])


def test_integers() -> None:
    a, b = (np.asarray(DRAW.integers(-900, 900, s), np.int16) for s in ((2, 3), (3, 4)))
    check("MatMulInteger16", [a, b], [a.astype(np.int32) @ b.astype(np.int32)])
    x, zero = of_bytes(DRAW, np.uint8, 3, 5), np.array(120, np.uint8)
    scale, y_scale = np.array(0.02, np.float32), np.array(0.01, np.float32)
    mean = (x.astype(np.float32) - 120).mean(1, keepdims=True) * 0.02
    expected = np.clip(np.rint(mean / 0.01) + 120, 0, 255)
    given = [x, scale, zero, y_scale, zero]
    check("QLinearReduceMean", given, [expected], axes=[1], keepdims=1)


def test_quantized_embeddings() -> None:
    words, mask = np.array([[2, 0, 1]], np.int32), np.array([[1, 1, 0]], np.int32)
    tables = [of_bytes(DRAW, np.uint8, n, 4) for n in (3, 5, 2)]
    vectors = [of_bytes(DRAW, np.uint8, 4) for _ in range(2)]
    scales = [np.array(s, np.float32) for s in (0.01, 0.02, 0.03, 0.015, 0.025)]
    zeros = [np.array(z, np.uint8) for z in (120, 130, 125, 90, 140)]
    segments = np.array([[0, 1, 1]], np.int32)
    real = [
        (t.astype(np.float32) - z) * s
        for t, s, z in zip([*tables, *vectors], scales, zeros, strict=True)
    ]
    total = real[0][words] + real[1][:3] + real[2][segments]
    mean, var = total.mean(-1, keepdims=True), total.var(-1, keepdims=True)
    y = (total - mean) / np.sqrt(var + 1e-3) * real[3] + real[4]
    given = [words, segments, *tables, *vectors, mask, *scales, *zeros]
    check("QEmbedLayerNormalization", given, [y, [2]], ("y", "lengths"), epsilon=1e-3)


def test_forms_of_attention_that_lie_in_one_tensor() -> None:
    q, k, v = (floats(DRAW, 2, 3, 2, 4) for _ in range(3))  # (batch, length, heads, size)
    scores = np.einsum("bihd,bjhd->bhij", q, k) / 2
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    expected = np.einsum("bhij,bjhd->bihd", weights, v).reshape(2, 3, 8)
    packed, pairs = np.stack([q, k, v], axis=3), np.stack([k, v], axis=3)
    check("MultiHeadAttention", [packed], [expected], num_heads=2)
    check("MultiHeadAttention", [q.reshape(2, 3, 8), pairs], [expected], num_heads=2)
