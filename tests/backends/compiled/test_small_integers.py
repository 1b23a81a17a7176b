"""Integers in small graphs: none of their digits may be lost, against NumPy and closed forms."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

ROW = np.array([0])
LEAST = -(2**63)

CALLS: dict[str, tuple[Callable[[Any, Any], Any], Callable[[np.ndarray], Any]]] = {
    "ReduceSum": (lambda op, x: op.ReduceSum(x, ROW), lambda x: x.sum(0, keepdims=True)),
    "ReduceMax": (lambda op, x: op.ReduceMax(x, ROW), lambda x: x.max(0, keepdims=True)),
    "ReduceMin": (lambda op, x: op.ReduceMin(x, ROW), lambda x: x.min(0, keepdims=True)),
    "ReduceProd": (lambda op, x: op.ReduceProd(x, ROW), lambda x: x.prod(0, keepdims=True)),
    "ReduceL1": (lambda op, x: op.ReduceL1(x, ROW), lambda x: abs(x).sum(0, keepdims=True)),
    "ReduceSumSquare": (
        lambda op, x: op.ReduceSumSquare(x, ROW),
        lambda x: (x * x).sum(0, keepdims=True),
    ),
    "MatMul": (lambda op, x: op.MatMul(x, x), lambda x: x @ x),
    "Gemm": (lambda op, x: op.Gemm(x, x, transB=1), lambda x: x @ x.T),
    "Einsum": (lambda op, x: op.Einsum(x, x, equation="ij,jk->ik"), lambda x: x @ x),
    "Trilu": (lambda op, x: op.Trilu(x), np.triu),
    "Pad": (lambda op, x: op.Pad(x, [1, 0, 0, 2]), lambda x: np.pad(x, ((1, 0), (0, 2)))),
    "Add": (lambda op, x: x + LEAST, lambda x: x + np.int64(LEAST)),
    "Mul": (lambda op, x: x * x, lambda x: x * x),
    "Sub": (lambda op, x: LEAST - x, lambda x: np.int64(LEAST) - x),
    "Equal": (lambda op, x: op.Equal(x, LEAST), lambda x: x == LEAST),
    "Less": (lambda op, x: x < 2**60 + 2, lambda x: x < 2**60 + 2),
    "Concat": (lambda op, x: op.Concat(x, x, axis=1), lambda x: np.hstack([x, x])),
    "Gather": (lambda op, x: op.Gather(x, [-1, 0]), lambda x: x[::-1]),
}


@pytest.mark.parametrize("name", CALLS)
def test_digits_that_no_float_holds_stay(name: str) -> None:
    call, expected = CALLS[name]
    b = og.Builder()
    b.output(call(b.op, b.input("x", "int64", (2, 2))), "y")
    run = og.compile(b.build(), "numba").run
    for x in ([[2**60 + 1, 2**60 + 3], [3, -5]], [[LEAST, LEAST + 1], [2**63 - 1, 1]]):
        given = np.array(x)
        found = run({"x": given})["y"]
        wanted = expected(given)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_triangles(dtype: str) -> None:
    b = og.Builder()
    b.output(b.op.Trilu(b.input("x", dtype, (3, 3)), upper=0), "y")
    x = (np.arange(9).reshape(3, 3) % 2 * (2**31 - 1)).astype(dtype)
    found = og.compile(b.build(), "numba").run({"x": x})["y"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.tril(x))
