"""A graph in float64 computes what it computed, more precisely."""

from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype


def network() -> og.Graph:
    """Weights, a cast, a dtype attribute, an operator of float32 only, and a constant."""
    b = og.Builder("network")
    op = b.op
    x = b.input("x", "float32", ("N", 2, 4, 4))
    w = b.parameter("w", np.linspace(-1, 1, 36, dtype="f4").reshape(2, 2, 3, 3))
    y = op.Gelu(op.Conv(x, w, pads=[1, 1, 1, 1]))
    y = op.Resize(y, None, np.array([1, 1, 2, 2], "f4"), mode="linear")
    counts = op.Cast(op.Size(y), to=1)
    noise = op.EyeLike(op.ReduceSum(y, np.array([0, 1]), keepdims=0), dtype=1)
    b.output(op.ReduceSum(y * noise, keepdims=0) / counts, "loss")
    return b.build()


def test_every_float_is_float64() -> None:
    graph = network()
    double = with_dtype(graph, np.dtype(np.float64))
    assert all(v.dtype == np.float64 for v in (*double.inputs, *double.outputs))
    assert double.find("w").parameter and double.find("w").dtype == np.float64
    assert [v.name for v in double.inputs] == ["x"]
    assert graph.find("w").dtype == np.float32
    x = np.linspace(-2, 2, 64, dtype="f4").reshape(2, 2, 4, 4)
    results: Any = ReferenceEvaluator(og.to_onnx(graph)).run(None, {"x": x})
    actual = og.compile(double).run({"x": x.astype("f8")})["loss"]
    assert actual.dtype == np.float64
    np.testing.assert_allclose(actual, results[0], rtol=1e-6)


def test_a_gradient_in_float64_is_the_gradient_of_the_graph_in_float64() -> None:
    graph = network()
    first = with_dtype(og.grad(graph, "loss", ["x", "w"]), np.dtype(np.float64))
    second = og.grad(with_dtype(graph, np.dtype(np.float64)), "loss", ["x", "w"])
    x = np.random.default_rng(0).standard_normal((2, 2, 4, 4))
    results = [og.compile(g).run({"x": x}) for g in (first, second)]
    for name in ("x.grad", "w.grad"):
        np.testing.assert_allclose(results[0][name], results[1][name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_lower_precision_too(dtype: str) -> None:
    b = og.Builder("g")
    b.output(b.op.Exp(b.input("x", "float64", (3,))), "y")
    graph = with_dtype(b.build(), np.dtype(dtype))
    x = np.array([0, 1, 2], dtype)
    np.testing.assert_allclose(og.compile(graph).run({"x": x})["y"], np.exp(x), rtol=1e-3)


@pytest.mark.parametrize(
    ("scale", "attributes"),
    [
        (np.float32(0.3), {}),
        (np.array([0.3], np.float32), {}),
        (np.array([0.1, 0.2, 0.3], np.float32), {}),
        (np.array([0.1, 0.2], np.float32), {"axis": 0}),
        (np.array([0.1, 0.2, 0.3, 0.4], np.float32), {"axis": -1}),
        (np.float32(np.arange(1, 13).reshape(2, 3, 2)) / 7, {"axis": 2, "block_size": 2}),
    ],
)
def test_a_scale_is_a_number_like_others(scale: Any, attributes: dict[str, int]) -> None:
    """DequantizeLinear follows its scale in float64, which the operator itself does not take."""
    b = og.Builder("g")
    x = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4)
    zero = np.full(scale.shape, 3, np.int8)
    held = b.parameter("scale", scale)
    b.output(b.op.DequantizeLinear(b.input("x", "int8", x.shape), held, zero, **attributes), "y")
    graph = b.build()
    wide = with_dtype(graph, np.dtype(np.float64))
    single, double = (og.compile(g).run({"x": x})["y"] for g in (graph, wide))
    np.testing.assert_allclose(double, single, rtol=1e-6)
    moved = og.with_parameters(wide, {"scale": scale.astype(np.float64) * (1 + 1e-9)})
    np.testing.assert_allclose(og.compile(moved).run({"x": x})["y"] - double, double * 1e-9, 1e-5)


def test_bits_keep_their_type() -> None:
    b = og.Builder("g")
    b.output(b.op.BitCast(b.input("x", "float32", (1,)), to=6), "y")
    graph = with_dtype(b.build(), np.dtype(np.float64))
    assert og.compile(graph).run({"x": np.ones(1)})["y"] == 0x3F800000
