"""An inverse transform is saved so that stock onnxruntime gives NumPy's numbers."""

from typing import Any

import numpy as np
import pytest
from written_files import run_in_onnxruntime

import onnxgrad as og

TOLERANCES = {"float32": 2e-6, "float64": 1e-14}


def inverted(
    x: np.ndarray, length: int | None, axis: int, onesided: bool, symbolic: bool
) -> tuple[og.Graph, dict[str, Any]]:
    b = og.Builder("inverse")
    shape = [f"d{k}" for k in range(x.ndim - 1)] + [x.shape[-1]] if symbolic else x.shape
    tensor = b.input("x", x.dtype, tuple(shape))
    feeds: dict[str, Any] = {"x": x}
    place: Any = np.array(axis)
    if symbolic:
        feeds["axis"] = place
        place = b.input("axis", "int64", ())
    size = None if length is None else np.array(length)
    y = b.op.DFT(tensor, size, place, inverse=1, onesided=int(onesided))
    b.output(y, "y")
    return b.build(), feeds


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("rows", "length", "axis"),
    [
        (5, None, 1),
        (4, 7, 1),
        (5, 9, -2),
        (3, 8, 1),
        (6, 7, 1),
        (5, 12, 1),
        (4, None, 0),
        (2, 1, 0),
    ],
)
def test_half_a_spectrum(
    rows: int, length: int | None, axis: int, dtype: str, symbolic: bool
) -> None:
    shape = (rows, 3, 2) if axis == 0 else (2, rows, 2)
    x = np.random.default_rng(rows).normal(size=shape).astype(dtype)
    graph, feeds = inverted(x, length, axis, True, symbolic)
    wide = x.astype(np.float64)
    expected = np.fft.irfft(wide[..., 0] + 1j * wide[..., 1], length, axis % 3)[..., None]
    found = [og.compile(graph, backend).run(feeds)["y"] for backend in ("numpy", "onnxruntime")]
    found.append(run_in_onnxruntime(og.to_onnx(graph), feeds)["y"])
    for y in found:
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected, rtol=0, atol=TOLERANCES[dtype])


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("size", [4, 7, 12])
def test_a_whole_spectrum_in_double(size: int, parts: int) -> None:
    x = np.random.default_rng(size).normal(size=(2, size, parts))
    graph, feeds = inverted(x, None, 1, False, False)
    expected = np.fft.ifft(x[..., 0] + 1j * (x[..., 1] if parts == 2 else 0), axis=1)
    y = run_in_onnxruntime(og.to_onnx(graph), feeds)["y"]
    np.testing.assert_allclose(y[..., 0] + 1j * y[..., 1], expected, rtol=0, atol=1e-14)


def test_its_gradient_and_the_file_read_again() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 2))
    graph, feeds = inverted(x, 6, 1, True, False)
    gradient = og.vjp(graph, "y", "x")
    feeds["y.grad"] = np.random.default_rng(1).normal(size=(2, 6, 1))
    cotangent = np.fft.rfft(feeds["y.grad"][..., 0], axis=1) / 6
    weights = np.array([1, 2, 2, 1])
    expected = np.stack([cotangent.real, cotangent.imag], -1) * weights[:, None]
    found = run_in_onnxruntime(og.to_onnx(gradient), feeds)["x.grad"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
    again = og.vjp(og.load(og.to_onnx(graph)), "y", "x")
    np.testing.assert_allclose(og.compile(again).run(feeds)["x.grad"], expected, atol=1e-14)


@pytest.mark.parametrize("inverse", [0, 1])
@pytest.mark.parametrize("length", [1, 7])
def test_a_length_that_is_fed(length: int, inverse: int) -> None:
    """ONNX infers the size before it for the one after it, and onnxruntime plans memory by that."""
    b = og.Builder("fed")
    x = b.input("x", "float32", ("N", 2))
    size = b.input("length", "int64", ())
    spectrum = b.op.DFT(x * 2.0, size, np.array(0), inverse=inverse)
    b.output(spectrum / b.op.Cast(size, to="float32"), "y")
    numbers = np.array([[1, 2], [3, -1], [0.5, 4]], np.float32)
    feeds = {"x": numbers, "length": np.array(length)}
    transform = np.fft.ifft if inverse else np.fft.fft
    wanted = transform(2 * (numbers[:, 0] + 1j * numbers[:, 1]), length) / length
    graph = b.build()
    found = [og.compile(graph, backend).run(feeds)["y"] for backend in ("numpy", "onnxruntime")]
    for y in (*found, run_in_onnxruntime(og.to_onnx(graph), feeds)["y"]):
        np.testing.assert_allclose(y[:, 0] + 1j * y[:, 1], wanted, rtol=0, atol=1e-5)
