"""What onnxruntime refuses by an attribute or a rank is saved so that it loads and runs."""

from typing import Any

import numpy as np
import pytest
from written_files import Arrays, run_in_onnxruntime

import onnxgrad as og


def saved_and_run(op_type: str, arrays: list[np.ndarray], **attributes: Any) -> Arrays:
    b = og.Builder("saved")
    inputs = [b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(arrays)]
    found = getattr(b.op, op_type)(*inputs, **attributes)
    for k, y in enumerate(found if isinstance(found, tuple) else [found]):
        b.output(y, f"y{k}")
    feeds: Arrays = {f"x{k}": a for k, a in enumerate(arrays)}
    return run_in_onnxruntime(og.to_onnx(b.build()), feeds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("op_type", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_a_batch_that_comes_first(op_type: str, gates: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    shapes = (2, 3, 4), (1, gates * 5, 4), (1, gates * 5, 5)
    x, w, r = (rng.normal(size=s).astype(dtype) for s in shapes)
    first = saved_and_run(op_type, [x, w, r], hidden_size=5, layout=1, outputs=2)
    second = saved_and_run(op_type, [x.swapaxes(0, 1), w, r], hidden_size=5, outputs=2)
    assert first["y0"].dtype == dtype
    np.testing.assert_allclose(first["y0"], second["y0"].transpose(2, 0, 1, 3), rtol=1e-5)
    np.testing.assert_allclose(first["y1"], second["y1"].swapaxes(0, 1), rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 5, 2, 1), (1, 5, 2)])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_neighbouring_channels(dtype: str, size: int, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype(dtype)
    low, high = (size - 1) // 2, size // 2
    sums = [(x[:, max(c - low, 0) : c + high + 1] ** 2).sum(1) for c in range(shape[1])]
    expected = x / (1 + 0.5 / size * np.stack(sums, 1)) ** 0.75
    found = saved_and_run("LRN", [x], size=size, alpha=0.5)["y0"]
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
@pytest.mark.parametrize("op_type", ["ScatterElements", "ScatterND"])
def test_scatters_that_reduce_half_precision(op_type: str, reduction: str) -> None:
    x, u = np.array([1, 2, 3], np.float16), np.array([4, 0.5, 6], np.float16)
    at = np.array([0, 2, 0])
    ufunc = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[reduction]
    expected = x.astype(np.float32)
    ufunc.at(expected, at, u.astype(np.float32))
    places = at[:, None] if op_type == "ScatterND" else at
    found = saved_and_run(op_type, [x, places, u], reduction=reduction)["y0"]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, expected)
