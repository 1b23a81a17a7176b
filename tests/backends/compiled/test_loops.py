"""Compiled loops read whatever NumPy has: read-only arrays, of any alignment, in any order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

SHAPE = (4, 8, 16, 16)
Array = np.ndarray


def chain(op: Any, x: og.Tensor) -> og.Tensor:
    return op.Exp(x) * x


def normalization(op: Any, x: og.Tensor) -> og.Tensor:
    ones = np.ones(8, np.float32)
    return op.BatchNormalization(x, *[ones] * 4, training_mode=1)[0]


def normalized(x: Array) -> Array:
    return (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(
        x.var((0, 2, 3), keepdims=True) + 1e-5
    ) + 1


def read_only(x: Array) -> Array:
    x.flags.writeable = False
    return x


def unaligned(x: Array) -> Array:
    moved = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    moved[...] = x
    return moved


def repeated(x: Array) -> Array:
    return np.broadcast_to(x[:, :1], x.shape)


def backwards(x: Array) -> Array:
    return x[::-1, :, ::-1]


@pytest.mark.parametrize(
    ("graph", "formula"),
    [(chain, lambda x: np.exp(x) * x), (normalization, normalized)],
    ids=["chain", "normalization"],
)
@pytest.mark.parametrize("place", [read_only, unaligned, repeated, backwards])
@pytest.mark.parametrize("last", [False, True])
def test_arrays_of_any_kind(
    graph: Callable[..., og.Tensor],
    formula: Callable[[Array], Array],
    place: Callable[[Array], Array],
    last: bool,
) -> None:
    b = og.Builder()
    b.output(graph(b.op, b.input("x", "float32", SHAPE)), "y")
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    x = place(np.moveaxis(x, 1, -1).copy()).transpose(0, 3, 1, 2) if last else place(x)
    y = og.compile(b.build(), "numba").run({"x": x})["y"]
    np.testing.assert_allclose(y, formula(x.astype(np.float64)), rtol=1e-5, atol=1e-5)
