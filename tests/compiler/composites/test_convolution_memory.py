"""The default form of a convolution's weight gradient holds no weight for each image in vain."""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og

BATCH, CHANNELS, MAPS, KERNEL, LENGTH = 12, 6, 40, 3, 9
POSITIONS = LENGTH - KERNEL + 1


def backward(batch: int | str, group: int = 1) -> og.Graph:
    b = og.Builder("audio")
    x = b.input("x", "float32", (batch, CHANNELS, LENGTH))
    w = b.input("w", "float32", (MAPS, CHANNELS // group, KERNEL))
    b.output(b.op.Conv(x, w, group=group), "y")
    return og.vjp(b.build(), "y", "w")


def sizes_inside(graph: og.Graph, batch: int | str) -> Iterator[int]:
    """Yield how many elements each value of the saved graph has."""
    pinned = {"batch": BATCH} if isinstance(batch, str) else {}
    for value in og.load(og.to_onnx(graph), shapes=pinned).values():
        shape: Any = value.shape
        if shape and all(isinstance(d, int) for d in shape):
            yield prod(shape)


@pytest.mark.parametrize("batch", [BATCH, "batch"])
@pytest.mark.parametrize("group", [1, 2])
def test_no_value_is_larger_than_all_windows(group: int, batch: int | str) -> None:
    windows = BATCH * CHANNELS * KERNEL * POSITIONS
    per_image = BATCH * MAPS * CHANNELS // group * KERNEL
    assert group > 1 or per_image > 5 * windows
    assert max(sizes_inside(backward(batch, group), batch)) <= max(windows, BATCH * MAPS * LENGTH)


@pytest.mark.parametrize("batch", [BATCH, "batch"])
@pytest.mark.parametrize("group", [1, 2])
def test_its_gradient_is_right(group: int, batch: int | str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, CHANNELS, LENGTH)).astype(np.float32)
    dy = rng.normal(size=(BATCH, MAPS, POSITIONS)).astype(np.float32)
    w = np.zeros((MAPS, CHANNELS // group, KERNEL), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x, KERNEL, axis=2)
    parts = zip(np.split(dy, group, 1), np.split(windows, group, 1), strict=True)
    expected = np.concatenate([np.einsum("bop,bcpk->ock", *part) for part in parts])
    model = og.to_onnx(backward(batch, group)).SerializeToString()
    session: Any = onnxruntime.InferenceSession(model)
    _, found = session.run(None, {"x": x, "w": w, "y.grad": dy})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_kernel_of_many_elements_is_not_unfolded() -> None:
    b, dtype = og.Builder("depthwise"), "float32"
    x, w = b.input("x", dtype, (2, 3, 16, 16)), b.input("w", dtype, (3, 1, 9, 9))
    b.output(b.op.Conv(x, w, group=3, auto_pad="SAME_UPPER"), "y")
    graph = og.vjp(b.build(), "y", "w")
    padded = 2 * 3 * 24 * 24  # windows have 81 times as many elements as x
    assert max(sizes_inside(graph, 2)) <= padded
    rng = np.random.default_rng(0)
    image, dy = (rng.normal(size=(2, 3, 16, 16)).astype(dtype) for _ in range(2))
    wide = np.pad(image, ((0, 0), (0, 0), (4, 4), (4, 4)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (9, 9), axis=(2, 3))
    feeds = {"x": image, "w": np.zeros((3, 1, 9, 9), dtype), "y.grad": dy}
    session: Any = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    (found,) = session.run(["w.grad"], feeds)
    expected = np.einsum("bcij,bcijkl->ckl", dy, windows)[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
