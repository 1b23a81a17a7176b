"""vmap of operators on shapes, against one example after the other."""

import numpy as np
import pytest

import onnxgrad as og


@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("target", [[-1], [0, -1], [3, -1], [-1, 3]], ids=str)
def test_examples_without_elements_are_reshaped(target: list[int], rows: int, count: int) -> None:
    b = og.Builder()
    x = b.input("x", "float64", ("rows", 0, 3))
    b.output(b.op.Reshape(x, target), "y")
    expected = og.compile(b.build())(x=np.zeros((rows, 0, 3)))["y"].shape
    found = og.compile(og.vmap(b.build()))(x=np.zeros((count, rows, 0, 3)))["y"].shape
    assert found == (count, *expected)
