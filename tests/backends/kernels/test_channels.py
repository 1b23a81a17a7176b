"""Sums over the pixels of images in either layout, against sums in float64."""

import math
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

SHAPES = [(2, 3, 4, 5), (3, 7, 5), (2, 3, 2, 3, 2), (0, 3, 2, 2), (2, 0, 2, 2), (2, 3, 0, 2)]


def laid(x: np.ndarray, last: bool) -> np.ndarray:
    """Lay the channels side by side, or leave them where they are."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1) if last else x


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "float16"])
def test_sums_and_means(shape: tuple[int, ...], last: bool, keepdims: int, dtype: str) -> None:
    axes = (0, *range(2, len(shape)))
    b = og.Builder()
    x = b.input("x", dtype, shape)
    b.output(b.op.ReduceSum(x, [0, *range(2 - len(shape), 0)], keepdims=keepdims), "sum")
    if math.prod(shape) or dtype != "int32":
        b.output(b.op.ReduceMean(x, axes, keepdims=keepdims), "mean")
    given = (9 * np.random.default_rng(0).normal(size=shape)).astype(dtype)
    wide = given.astype(np.float64)
    found = og.compile(b.build()).run({"x": laid(given, last)})
    kept: Any = {"axis": axes, "keepdims": bool(keepdims)}
    expected = {"sum": wide.sum(**kept)}
    if "mean" in found:
        with np.errstate(all="ignore"):
            mean = wide.sum(**kept) / math.prod(shape[a] for a in axes) if given.size else None
            expected["mean"] = np.full(expected["sum"].shape, np.nan) if mean is None else mean
    within = {"float16": 1e-3, "float32": 1e-6, "float64": 1e-14, "int32": 0}[dtype]
    for name, array in expected.items():
        array = np.trunc(array) if dtype == "int32" else array
        assert found[name].dtype == dtype and found[name].shape == array.shape
        scale = within * np.abs(wide).sum()
        np.testing.assert_allclose(found[name], array, rtol=within, atol=scale, err_msg=name)


def test_a_long_sum_rounds_little() -> None:
    """An image by itself first."""
    b = og.Builder()
    b.output(b.op.ReduceSum(b.input("x", "float32", (64, 8, 28, 28)), [0, 2, 3]), "y")
    given = np.random.default_rng(0).uniform(size=(64, 8, 28, 28)).astype(np.float32)
    found = og.compile(b.build()).run({"x": laid(given, True)})["y"].reshape(-1)
    np.testing.assert_allclose(found, given.astype(np.float64).sum((0, 2, 3)), rtol=1e-6)
