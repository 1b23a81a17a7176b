"""Small graphs that go deep: what Python and numba read of a source is limited."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og


def run(shape: tuple[int, ...], call: Callable[[Any, Any], Any], x: np.ndarray) -> np.ndarray:
    b = og.Builder()
    b.output(call(b.op, b.input("x", "float32", shape)), "y")
    found: np.ndarray = og.compile(b.build(), "numba").run({"x": x})["y"]
    return found


@pytest.mark.parametrize("count", [40, 1500])
def test_formulas_within_formulas(count: int) -> None:
    def call(op: Any, x: Any) -> Any:
        for _ in range(count):
            x = op.Neg(x)
        return x

    x = np.arange(4, dtype="f4")
    np.testing.assert_array_equal(run((4,), call, x), x)


@pytest.mark.parametrize("count", [110])
def test_moves_within_moves(count: int) -> None:
    def call(op: Any, x: Any) -> Any:
        for _ in range(count):
            x = op.Slice(op.Tile(x, [2]), [7], [-9], [0], [-2])
        return x

    x = np.arange(4, dtype="f4")
    expected = x
    for _ in range(count):
        expected = np.tile(expected, 2)[7::-2]
    np.testing.assert_array_equal(run((4,), call, x), expected)


def test_loops_within_loops() -> None:
    shape = (*[2] * 25, 0)
    found = run(shape, lambda op, x: op.Transpose(x) + 1, np.empty(shape, "f4"))
    assert found.shape == shape[::-1]


def test_numbers_of_one_axis() -> None:
    b = og.Builder()
    x, number = b.input("x", "float32", (2,)), b.input("number", "float32", (1,))
    b.output(b.op.Pad(x, [1, 0], number), "y")
    found = og.compile(b.build(), "numba").run({"x": np.ones(2, "f4"), "number": [7.0]})["y"]
    np.testing.assert_array_equal(found, [7, 1, 1])
