"""Narrow integers divided and shifted in other operators: what NumPy gives for every number."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.passes.exact_division import divided, shifted
from onnxgrad.compiler.passes.respell import respell


def run(op_type: str, x: np.ndarray, y: np.ndarray, **attributes: Any) -> np.ndarray:
    b = og.Builder("integers")
    given = (b.input(name, a.dtype, a.shape) for name, a in (("x", x), ("y", y)))
    b.output(getattr(b.op, op_type)(*given, **attributes), "z")
    graph = b.build()
    assert respell(BitShift=shifted, Div=divided)(graph) == (x.dtype.itemsize <= 2)
    found: np.ndarray = og.compile(graph).run({"x": x, "y": y})["z"]
    assert found.dtype == x.dtype
    return found


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts(dtype: str, direction: str) -> None:
    """Of all bytes by all counts, and of numbers as large as the dtype holds."""
    bits = 8 * np.dtype(dtype).itemsize
    numbers = np.concatenate([np.arange(256), [np.iinfo(dtype).max, np.iinfo(dtype).max - 1]])
    x, k = (a.astype(dtype) for a in np.meshgrid(numbers, np.arange(bits)))
    expected = np.left_shift(x, k) if direction == "LEFT" else np.right_shift(x, k)
    np.testing.assert_array_equal(run("BitShift", x, k, direction=direction), expected)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int64"])
def test_quotients(dtype: str) -> None:
    """Rounded to 0, as ONNX has them."""
    limits = np.iinfo(np.int8 if dtype == "int8" else np.uint8)
    low = 0 if dtype == "uint8" else -128
    numbers = np.arange(max(low, limits.min), limits.max + 1)
    x, y = np.meshgrid(numbers, numbers[(numbers != 0) & (numbers != -1)])
    expected = np.trunc(x / y).astype(dtype)
    np.testing.assert_array_equal(run("Div", x.astype(dtype), y.astype(dtype)), expected)
