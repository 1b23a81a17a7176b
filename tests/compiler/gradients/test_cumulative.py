"""Gradients of running products hold what the products do, and are right over no steps."""

import tracemalloc
from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og

MODES = [(0, 0), (1, 0), (0, 1), (1, 1)]


def graph(shape: tuple[Any, ...], exclusive: int = 0, reverse: int = 0) -> og.Graph:
    b = og.Builder("products")
    x = b.input("x", "float32", shape)
    b.output(b.op.CumProd(x, np.array(1), exclusive=exclusive, reverse=reverse), "y")
    return og.vjp(b.build(), "y", "x")


def expected(x: np.ndarray, dy: np.ndarray, exclusive: int, reverse: int) -> np.ndarray:
    """Give dxₖ = Σ dyᵢ·yᵢ/xₖ over the products that have xₖ, in float64, for x without zeros."""
    wide, slope = (a.astype(np.float64)[:, :: -1 if reverse else 1] for a in (x, dy))
    y = np.cumprod(wide, axis=1)
    y = np.concatenate([np.ones_like(y[:, :1]), y[:, :-1]], axis=1) if exclusive else y
    terms = y * slope
    later = np.cumsum(terms[:, ::-1], axis=1)[:, ::-1]
    found: np.ndarray = (later - terms if exclusive else later) / wide
    return found[:, :: -1 if reverse else 1]


@pytest.mark.parametrize("size", [1500, "N"])
@pytest.mark.parametrize(("exclusive", "reverse"), MODES)
def test_long_products(exclusive: int, reverse: int, size: Any) -> None:
    """A matrix of all pairs would be 1,500 times as large as x."""
    rng = np.random.default_rng(0)
    x = (1 + 1e-3 * rng.normal(size=(40, 1500))).astype(np.float32)
    feeds = {"x": x, "y.grad": rng.normal(size=x.shape).astype(np.float32)}
    right = expected(x, feeds["y.grad"], exclusive, reverse)
    backward = graph((40, size), exclusive, reverse)
    compiled = og.compile(backward)
    tracemalloc.start()
    found = compiled.run(feeds)["x.grad"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * x.nbytes
    model = og.to_onnx(backward).SerializeToString()
    saved: Any = onnxruntime.InferenceSession(model).run(["x.grad"], feeds)[0]
    for gradient in (found, saved, og.compile(backward, "onnxruntime").run(feeds)["x.grad"]):
        np.testing.assert_allclose(gradient, right, atol=1e-4 * np.abs(right).max())


@pytest.mark.parametrize("size", [0, "N"])
@pytest.mark.parametrize(("exclusive", "reverse"), MODES)
def test_products_of_nothing(exclusive: int, reverse: int, size: Any) -> None:
    backward = graph((2, size, 3), exclusive, reverse)
    nothing = np.zeros((2, 0, 3), np.float32)
    feeds = {"x": nothing, "y.grad": nothing}
    model = og.to_onnx(backward).SerializeToString()
    session: Any = onnxruntime.InferenceSession(model)
    assert [found.shape for found in session.run(None, feeds)] == [(2, 0, 3)] * 2
    for backend in ("numpy", "onnxruntime"):
        assert og.compile(backward, backend).run(feeds)["x.grad"].shape == (2, 0, 3)
