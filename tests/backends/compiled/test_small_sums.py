"""Sums of many numbers in small graphs keep the digits of float32, against NumPy in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.compiled.small import SmallExecutable

COUNT = 1000
OVER = np.array([1])


def standard(x: np.ndarray) -> Any:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def normalized(op: Any, x: Any) -> Any:
    return op.LayerNormalization(x, np.ones(COUNT, "f4"))


CALLS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[np.ndarray], Any]]] = {
    "ReduceSum": (lambda op, x: op.ReduceSum(x, OVER), np.sum),
    "ReduceMean": (lambda op, x: op.ReduceMean(x, OVER), np.mean),
    "ReduceL1": (lambda op, x: op.ReduceL1(x, OVER), np.sum),
    "ReduceL2": (lambda op, x: op.ReduceL2(x, OVER), np.linalg.norm),
    "ReduceSumSquare": (lambda op, x: op.ReduceSumSquare(x, OVER), lambda x: (x * x).sum()),
    "ReduceLogSum": (lambda op, x: op.ReduceLogSum(x, OVER), lambda x: np.log(x.sum())),
    "RMSNormalization": (
        lambda op, x: op.RMSNormalization(x, np.ones(COUNT, "f4")),
        lambda x: x / np.sqrt((x * x).mean() + 1e-5),
    ),
    "LayerNormalization": (normalized, standard),
}


@pytest.mark.parametrize("name", CALLS)
def test_sums_of_many_numbers(name: str) -> None:
    call, expected = CALLS[name]
    b = og.Builder()
    b.output(call(b.op, b.input("x", "float32", (1, COUNT))), "y")
    compiled = og.compile(b.build(), "numba")
    assert isinstance(compiled._executable, SmallExecutable)
    x = np.full((1, COUNT), 0.1, np.float32)
    if name == "LayerNormalization":
        x = np.random.default_rng(0).normal(1000, 1, x.shape).astype("float32")
    found = compiled.run({"x": x})["y"]
    assert found.dtype == np.float32
    within = 2e-5 if name == "LayerNormalization" else 2e-7  # the mean is rounded to float32
    wide = expected(x.astype("float64"))
    assert np.abs(found - wide).max() <= within * np.abs(wide).max()


def test_sums_that_float32_does_not_hold() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (1, 4))
    b.output(b.op.ReduceSum(x, OVER), "sum")
    b.output(b.op.ReduceL2(x, OVER), "length")
    found = og.compile(b.build(), "numba").run({"x": np.full((1, 4), 3e38, np.float32)})
    assert found["sum"] == np.inf and found["length"] == np.inf
