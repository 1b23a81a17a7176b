"""Ranks that only run time tells: what onnxruntime dies of is refused, or runs on NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og

Build = Callable[[og.Builder, og.Tensor], Any]

ENDING: list[tuple[Build, str, tuple[int, ...]]] = [
    (lambda b, x: b.op.DFT(x), "float32", ()),
    (lambda b, x: b.op.GridSample(x, x), "float32", ()),
    (lambda b, x: b.op.Multinomial(x), "float32", (0,)),
    (lambda b, x: b.op.ReverseSequence(x, b.input("n", "int64", None)), "int64", ()),
]


@pytest.mark.parametrize(("function", "dtype", "shape"), ENDING)
def test_a_rank_that_ends_the_process_is_refused(
    function: Build, dtype: str, shape: tuple[int, ...]
) -> None:
    b = og.Builder()
    b.output(function(b, b.input("x", dtype, None)), "y")
    run = og.compile(b.build(), "onnxruntime").run
    feeds = {v.name: np.ones(shape, v.dtype) for v in b.build().inputs}
    for _ in range(2):
        with pytest.raises(og.GraphError, match="does not fit"):
            run(feeds)


def test_ranks_that_fit_run_as_ever() -> None:
    """Other branches may need other ranks: what they hold is not judged by what is fed."""
    b = og.Builder()
    x = b.input("x", "float32", None)
    of_two = b.op.Equal(b.op.Size(b.op.Shape(x)), 2)
    turned = b.subgraph(lambda: b.op.Multinomial(x, sample_size=1, seed=1.0))
    kept = b.subgraph(lambda: b.op.Cast(b.op.DFT(x), to=6))
    b.output(b.op.Shape(b.op.If(of_two, then_branch=turned, else_branch=kept)), "y")
    run = og.compile(b.build(), "onnxruntime").run
    assert run({"x": np.ones((3, 4), np.float32)})["y"].tolist() == [3, 1]
    assert run({"x": np.ones((1, 5, 1), np.float32)})["y"].tolist() == [1, 5, 2]


def test_a_shape_that_is_fed_decides_the_rank() -> None:
    b = og.Builder()
    x, sizes = b.input("x", "float32", ("N",)), b.input("sizes", "int64", ("K",))
    b.output(b.op.Identity(b.op.DFT(b.op.Reshape(x, sizes)), name="end"), "y")
    graph = b.build()
    found = [
        og.compile(graph, backend)(x=np.arange(4, dtype="f4"), sizes=[1, 4, 1])["y"]
        for backend in ("numpy", "onnxruntime")
    ]
    np.testing.assert_allclose(found[0], np.fft.fft(np.arange(4.0)).view(float).reshape(1, 4, 2))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6, atol=1e-6)
    with pytest.raises(og.GraphError):
        og.compile(graph, "onnxruntime")(x=np.ones(1, np.float32), sizes=np.zeros(0, np.int64))


def test_steps_of_open_rank_feed_back() -> None:
    b = og.Builder()
    x, s = b.input("x", "float32", None), b.input("s", "float32", (1, 4, 2))
    b.output(b.op.Add(s, b.op.DFT(x)), "s.new")
    step = og.compile(b.build(), "onnxruntime").stepper({"s": np.zeros((1, 4, 2), np.float32)})
    for _ in range(2):
        step(x=np.ones((1, 4, 1), np.float32))
    np.testing.assert_allclose(step.state()["s"][0, 0], [8, 0])
    with pytest.raises(og.GraphError, match="does not fit"):
        step(x=np.float32(1))
