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
