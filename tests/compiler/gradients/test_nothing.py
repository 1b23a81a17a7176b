"""Gradients by what has no elements have its shape."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og


def unpooled(b: og.Builder, x: og.Tensor) -> og.Tensor:
    y, places = b.op.MaxPool(x, kernel_shape=[2, 1], strides=[2, 1], outputs=2)
    return b.op.MaxUnpool(y, places, kernel_shape=[2, 1], strides=[2, 1])


def regions(b: og.Builder, x: og.Tensor) -> og.Tensor:
    places = np.ones((3, 4), np.float32), np.zeros(3, np.int64)
    return b.op.RoiAlign(x, *places, mode="max", output_height=2, output_width=3)


EMPTY: list[tuple[tuple[int, ...], Callable[[og.Builder, og.Tensor], og.Tensor]]] = [
    ((2, 4, 2, 0), lambda b, x: b.op.DepthToSpace(x, blocksize=2, mode="CRD")),
    *(
        (
            shape,
            lambda b, x, channels=shape[1]: b.op.GroupNormalization(
                x, *(b.constant(np.ones(channels, np.float32)) for _ in "sb"), num_groups=2
            ),
        )
        for shape in ((2, 0, 2, 3), (2, 4, 2, 0), (0, 4, 2, 3))
    ),
    ((2, 0, 4, 4), unpooled),
    ((2, 0, 6, 7), regions),
]


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize(("shape", "build"), EMPTY)
def test_a_size_of_nothing_stays_where_it_is(
    shape: tuple[int, ...], build: Any, symbolic: bool
) -> None:
    """A 0 in the target of a Reshape is a size, and copies none."""
    b = og.Builder("none")
    sizes = [f"s{k}" if symbolic and k != 1 else n for k, n in enumerate(shape)]
    b.output(build(b, b.input("x", "float32", sizes)), "y")
    feeds = {"x": np.ones(shape, np.float32)}
    y = og.compile(b.build()).run(feeds)["y"]
    gradient = og.compile(og.vjp(b.build(), "y", "x"))
    assert gradient.run({**feeds, "y.grad": np.ones_like(y)})["x.grad"].shape == shape


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("layout", [0, 1])
@pytest.mark.parametrize(("op_type", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_no_steps_of_a_batch_of_any_size(
    op_type: str, gates: int, layout: int, backend: str
) -> None:
    b = og.Builder("recurrent")
    x = b.input("x", "float64", ("batch", "steps", 4) if layout else ("steps", "batch", 4))
    h = b.input("h", "float64", ("batch", 1, 2) if layout else (1, "batch", 2))
    rng = np.random.default_rng(0)
    w, r = rng.normal(size=(1, gates * 2, 4)), rng.normal(size=(1, gates * 2, 2))
    cell = getattr(b.op, op_type)
    y, last = cell(x, w, r, None, None, h, hidden_size=2, layout=layout, outputs=2)
    b.output(b.op.ReduceSum(y, keepdims=0) + b.op.ReduceSum(last * last, keepdims=0), "loss")
    gradient = og.compile(og.grad(b.build(), "loss", ["x", "h"]), backend)
    states = rng.normal(size=(3, 1, 2) if layout else (1, 3, 2))
    found = gradient(x=np.zeros((3, 0, 4) if layout else (0, 3, 4)), h=states)
    assert found["x.grad"].shape == ((3, 0, 4) if layout else (0, 3, 4))
    np.testing.assert_allclose(found["h.grad"], 2 * states)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_no_steps_of_a_scan_over_entries_of_any_size(backend: str) -> None:
    b = og.Builder("scan")
    x = b.input("x", "float64", ("steps", "n"))
    add = b.subgraph(
        lambda total, entry: total + b.op.ReduceSum(entry, keepdims=0),
        ("float64", ()),
        ("float64", ("n",)),
    )
    b.output(b.op.Scan(np.zeros(()), x, body=add, num_scan_inputs=1), "loss")
    gradient = og.compile(og.grad(b.build(), "loss", "x"), backend)
    assert gradient(x=np.zeros((0, 5)))["x.grad"].shape == (0, 5)
    np.testing.assert_array_equal(gradient(x=np.zeros((2, 5)))["x.grad"], np.ones((2, 5)))


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_no_steps_of_a_layer_of_any_width(backend: str) -> None:
    b = og.Builder("recurrent")
    x = b.input("x", "float64", ("steps", "batch", 3))
    r = b.input("r", "float64", (1, 8, "width"))
    h = b.input("h", "float64", (1, "batch", "width"))
    w = np.ones((1, 8, 3))
    y, last = b.op.LSTM(x, w, r, None, None, h, hidden_size=2, outputs=2)
    b.output(b.op.ReduceSum(y, keepdims=0) + b.op.ReduceSum(last, keepdims=0), "loss")
    gradient = og.compile(og.grad(b.build(), "loss", ["x", "r", "h"]), backend)
    feeds = {"x": np.zeros((0, 4, 3)), "r": np.ones((1, 8, 2)), "h": np.ones((1, 4, 2))}
    found = gradient.run(feeds)
    for name, expected in (("x", np.zeros((0, 4, 3))), ("r", np.zeros((1, 8, 2)))):
        np.testing.assert_array_equal(found[f"{name}.grad"], expected)
    np.testing.assert_array_equal(found["h.grad"], np.ones((1, 4, 2)))
