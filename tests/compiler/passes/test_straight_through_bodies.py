"""Gradients that pass straight through operators on quantized tensors, against the float ones.

Where nothing saturates the gradient is that of the float operator, taken at what the quantized
tensors stand for.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import onnxgrad as og

MS = {"domain": "com.microsoft"}
SCALE, ZERO = np.float32(0.02), np.uint8(128)
WIDE = np.float32(0.2)
DRAW = np.random.default_rng(3)


def drawn(*shape: int) -> np.ndarray:
    return DRAW.uniform(-1, 1, shape).astype(np.float32)


W = DRAW.integers(90, 160, (4, 3, 2, 2)).astype(np.uint8)
BIAS = np.array([9, -70, 50], np.int32)
TWICE = np.array([1, 1, 2, 2], np.float32)
M = DRAW.integers(90, 160, (5, 3)).astype(np.uint8)


def real(array: np.ndarray) -> np.ndarray:
    return (array.astype(np.float32) - 128) * np.float32(0.02)


Emit = Callable[[Any, Any], Any]

Z = (SCALE, ZERO)
ARRAYS = (np.array(SCALE), np.array(ZERO))
CASES: dict[str, tuple[tuple[int, ...], Emit, Emit]] = {
    "QLinearAdd": (
        (2, 5),
        lambda op, q: op.QLinearAdd(q, *Z, M[:, 0].copy(), *Z, WIDE, ZERO, **MS),
        lambda op, x: op.Add(x, real(M[:, 0])),
    ),
    "QLinearMul": (
        (2, 5),
        lambda op, q: op.QLinearMul(q, *Z, q, *Z, WIDE, ZERO, **MS),
        lambda op, x: op.Mul(x, x),
    ),
    "QLinearSigmoid": (
        (2, 5),
        lambda op, q: op.QLinearSigmoid(q, *Z, np.float32(1 / 256), np.uint8(0), **MS),
        lambda op, x: op.Sigmoid(x),
    ),
    "QLinearLeakyRelu": (
        (2, 5),
        lambda op, q: op.QLinearLeakyRelu(q, *Z, WIDE, ZERO, alpha=0.1, **MS),
        lambda op, x: op.LeakyRelu(x, alpha=0.1),
    ),
    "QLinearSoftmax": (
        (2, 5),
        lambda op, q: op.QLinearSoftmax(q, *Z, np.float32(1 / 256), np.uint8(0), opset=13, **MS),
        lambda op, x: op.Softmax(x),
    ),
    "QLinearAveragePool": (
        (1, 2, 4, 5),
        lambda op, q: op.QLinearAveragePool(q, *Z, WIDE, ZERO, kernel_shape=[2, 2], **MS),
        lambda op, x: op.AveragePool(x, kernel_shape=[2, 2]),
    ),
    "QLinearGlobalAveragePool": (
        (1, 4, 5, 2),
        lambda op, q: op.QLinearGlobalAveragePool(q, *Z, WIDE, ZERO, channels_last=1, **MS),
        lambda op, x: op.ReduceMean(x, [1, 2]),
    ),
    "QLinearConcat": (
        (2, 5),
        lambda op, q: op.QLinearConcat(WIDE, ZERO, q, *ARRAYS, q, *ARRAYS, axis=1, **MS),
        lambda op, x: op.Concat(x, x, axis=1),
    ),
    "QLinearWhere": (
        (2, 5),
        lambda op, q: op.QLinearWhere(np.eye(5)[:2] > 0, q, *Z, M[:2, 0:1], *Z, WIDE, ZERO, **MS),
        lambda op, x: op.Where(np.eye(5)[:2] > 0, x, real(M[:2, 0:1])),
    ),
    "QLinearConv": (
        (1, 3, 4, 5),
        lambda op, q: op.QLinearConv(q, *Z, W, *Z, WIDE, ZERO, pads=[1, 0, 0, 1]),
        lambda op, x: op.Conv(x, real(W), pads=[1, 0, 0, 1]),
    ),
    "QLinearConv, channels last": (
        (1, 4, 5, 3),
        lambda op, q: op.QLinearConv(q, *Z, W, *Z, WIDE, ZERO, channels_last=1, **MS),
        lambda op, x: op.Transpose(
            op.Conv(op.Transpose(x, perm=[0, 3, 1, 2]), real(W)), perm=[0, 2, 3, 1]
        ),
    ),
    "QLinearMatMul": (
        (2, 5),
        lambda op, q: op.QLinearMatMul(q, *Z, M, *Z, WIDE, ZERO),
        lambda op, x: op.MatMul(x, real(M)),
    ),
    "QGemm": (
        (2, 5),
        lambda op, q: op.QGemm(q, *Z, M, *Z, None, WIDE, ZERO, alpha=0.5, **MS),
        lambda op, x: op.Mul(op.MatMul(x, real(M)), 0.5),
    ),
    "QGemm with a bias": (
        (2, 5),
        lambda op, q: op.QGemm(q, *Z, M, *Z, BIAS, WIDE, ZERO, **MS),
        lambda op, x: op.Add(op.MatMul(x, real(M)), SCALE * SCALE * BIAS.astype(np.float32)),
    ),
    "Pad": (
        (2, 5),
        lambda op, q: op.Pad(q, [0, 1, 1, 0], ZERO),
        lambda op, x: op.Pad(x, [0, 1, 1, 0]),
    ),
    "Resize": (
        (1, 1, 2, 5),
        lambda op, q: op.Resize(q, None, TWICE),
        lambda op, x: op.Resize(x, None, TWICE),
    ),
    "MaxPool": (
        (1, 2, 4, 5),
        lambda op, q: op.MaxPool(q, kernel_shape=[2, 2]),
        lambda op, x: op.MaxPool(x, kernel_shape=[2, 2]),
    ),
}
SHARED = {"MaxPool": SCALE, "Pad": SCALE, "Resize": SCALE}
"""Scales of what keeps that of its input."""


def quantized(name: str) -> og.Graph:
    shape, emit, _ = CASES[name]
    b = og.Builder("quantized")
    q = b.op.QuantizeLinear(b.input("x", "float32", shape), *Z)
    y = emit(b.op, q)
    scale, zero = SHARED.get(name, WIDE), ZERO
    if name in ("QLinearSigmoid", "QLinearSoftmax"):
        scale, zero = np.float32(1 / 256), np.uint8(0)
    b.output(b.op.DequantizeLinear(y, scale, zero), "y")
    return b.build()


def plain(name: str) -> og.Graph:
    shape, _, emit = CASES[name]
    b = og.Builder("plain")
    b.output(emit(b.op, b.input("x", "float32", shape)), "y")
    return b.build()


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_the_float_operator(name: str, backend: str) -> None:
    x = drawn(*CASES[name][0])
    x = (np.rint(x / SCALE) * SCALE).astype(np.float32)  # what the quantized tensor stands for
    graph = quantized(name)
    through = og.straight_through(graph)
    before, after = (og.compile(g, backend).run({"x": x})["y"] for g in (graph, through))
    np.testing.assert_array_equal(after, before)
    dy = drawn(*before.shape)
    gradient = og.vjp(through, "y", "x")
    onnx.checker.check_model(og.to_onnx(gradient), full_check=True)
    found = og.compile(gradient, backend).run({"x": x, "y.grad": dy})["x.grad"]
    expected = og.compile(og.vjp(plain(name), "y", "x")).run({"x": x, "y.grad": dy})["x.grad"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_weights_of_a_dynamic_product() -> None:
    """y = round(x)·(B − z)·s + b: by x, by the scales of the columns, by the bias."""
    b = og.Builder("dynamic")
    inputs = b.input("x", "float32", (2, 5)), b.input("s", "float32", (3,))
    bias = b.input("bias", "float32", (3,))
    y = b.op.DynamicQuantizeMatMul(inputs[0], M, inputs[1], np.full(3, 128, np.uint8), bias, **MS)
    b.output(y, "y")
    through = og.straight_through(b.build())
    feeds = {"x": drawn(2, 5), "s": np.array([0.02, 0.01, 0.03], np.float32), "bias": drawn(3)}
    dy = drawn(2, 3)
    graph = og.vjp(through, "y", ["x", "s", "bias"])
    for backend in ("numpy", "onnxruntime"):
        found = og.compile(graph, backend).run({**feeds, "y.grad": dy})
        centred = M.astype(np.float32) - 128
        rounded = (found["y"] - feeds["bias"]) / feeds["s"]  # x, rounded, times B − z
        np.testing.assert_allclose(found["bias.grad"], dy.sum(0), rtol=1e-5)
        np.testing.assert_allclose(found["s.grad"], (dy * rounded).sum(0), rtol=1e-4)
        expected = (dy * feeds["s"]) @ centred.T
        # the largest and smallest of x also set the scale; the others pass straight through
        inner = ~((feeds["x"] == feeds["x"].max()) | (feeds["x"] == feeds["x"].min()))
        np.testing.assert_allclose(found["x.grad"][inner], expected[inner], rtol=1e-4)


def test_an_lstm_with_quantized_weights_is_near_the_float_one() -> None:
    hidden, width = 3, 4
    weights = {
        n: DRAW.integers(60, 190, (1, r, 12)).astype(np.uint8)
        for n, r in (("W", width), ("R", hidden))
    }
    scale, zero = np.array([0.01], np.float32), np.array([128], np.uint8)
    x, dy = drawn(5, 1, width), drawn(5, 1, 1, hidden)

    def graph(is_quantized: bool) -> og.Graph:
        b = og.Builder("lstm")
        given = b.input("x", "float32", x.shape)
        if is_quantized:
            rest = [None] * 5 + [scale, zero, scale, zero]
            listed = [weights["W"], weights["R"], *rest]
            y = b.op.DynamicQuantizeLSTM(given, *listed, hidden_size=hidden, outputs=1, **MS)
        else:
            turned = [
                ((v.astype(np.float32) - 128) * scale).transpose(0, 2, 1) for v in weights.values()
            ]
            y = b.op.LSTM(given, *turned, hidden_size=hidden, outputs=1)
        b.output(y, "y")
        return b.build()

    exact = og.vjp(graph(False), "y", "x")
    through = og.vjp(og.straight_through(graph(True)), "y", "x")
    expected = og.compile(exact).run({"x": x, "y.grad": dy})["x.grad"]
    for backend in ("numpy", "onnxruntime"):
        found = og.compile(through, backend).run({"x": x, "y.grad": dy})["x.grad"]
        assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()


def test_what_rounds_nothing_stays_as_it_is() -> None:
    b = og.Builder("packed")
    packed = DRAW.integers(0, 256, (3, 1, 8)).astype(np.uint8)
    x, scales = b.input("x", "float32", (2, 16)), b.input("s", "float32", (3, 1))
    b.output(b.op.MatMulNBits(x, packed, scales, K=16, N=3, block_size=16, **MS), "y")
    graph = b.build()
    assert [n.op_type for n in og.straight_through(graph).nodes()] == ["MatMulNBits"]
    assert og.vjp(graph, "y", ["x", "s"])
