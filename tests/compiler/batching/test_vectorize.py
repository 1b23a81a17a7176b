"""A batch without examples has the sizes of an example, where only running nodes tells them."""

from collections.abc import Callable

import numpy as np
import pytest

import onnxgrad as og

IMAGE = np.ones((2, 3))


def padded(b: og.Builder, x: og.Tensor, s: og.Tensor) -> og.Tensor:
    """By a value of each example's own, a size that is a sum"""
    return b.op.Pad(x, np.array([1, 0, 1, 2]), s)


def kept_by_a_mask(b: og.Builder, x: og.Tensor, s: og.Tensor) -> og.Tensor:
    """As many columns as a mask says"""
    mask = b.op.Greater(b.input("m", "float64", ("W",)), 0.0)
    return b.op.Compress(x * s, mask, axis=1)


def walked_through(b: og.Builder, x: og.Tensor, s: og.Tensor) -> og.Tensor:
    """States of a size that a mask tells"""
    start = kept_by_a_mask(b, x, s)
    body = b.subgraph(lambda i, c, t: (c, b.op.Tanh(t), t * t), ("int64", ()), ("bool", ()), start)
    last, tape = b.op.Loop(2, None, start, body=body)
    return last + b.op.ReduceSum(tape, np.array([0]), keepdims=0)


def counted(b: og.Builder, x: og.Tensor, s: og.Tensor) -> og.Tensor:
    """As many as an example says; of ones, as many as there are columns"""
    numbers = b.op.Range(0.0 * s, 3.0 * s, s)
    return b.op.Unsqueeze(numbers, [0]) * x


def graph(program: Callable[[og.Builder, og.Tensor, og.Tensor], og.Tensor]) -> og.Graph:
    b = og.Builder("empty")
    y = program(b, b.input("x", "float64", ("H", "W")), b.input("s", "float64", ()))
    b.output(y * y, "y")
    return b.build()


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("batched", [["x"], ["s"], ["x", "s"]], ids="+".join)
@pytest.mark.parametrize("program", [padded, kept_by_a_mask, walked_through, counted])
def test_no_examples_have_the_sizes_of_one(
    program: Callable[[og.Builder, og.Tensor, og.Tensor], og.Tensor],
    batched: list[str],
    backend: str,
) -> None:
    single = graph(program)
    gradient = og.vjp(single, of="y", wrt=["x", "s"])
    feeds = {"x": IMAGE, "s": np.array(1.0), "m": np.array([1.0, -1.0, 1.0])}
    feeds = {v.name: feeds[v.name] for v in single.inputs}
    feeds["y.grad"] = np.ones_like(og.compile(single).run(feeds)["y"])
    expected = og.compile(gradient).run(feeds)
    empty = {n: np.zeros((0, *a.shape)) if n in batched else a for n, a in feeds.items()}
    found = og.compile(og.vmap(gradient, batched), backend).run(empty)
    assert {n: a.shape for n, a in found.items()} == {
        n: (0, *np.shape(a)) for n, a in expected.items()
    }


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("batched", [["c"], ["s"], ["x", "c", "s"]], ids="+".join)
def test_no_example_takes_the_branch_whose_shape_fits_nothing(
    batched: list[str], backend: str
) -> None:
    """Which of two shapes is taken no example says; one of ones would take the wrong one."""
    b = og.Builder("branches")
    x, w = b.input("x", "float64", ("n", 1)), b.input("w", "float64", ("m", "k"))
    asked = b.op.And(b.input("c", "bool", ()), b.op.Greater(b.input("s", "float64", ()), 0.0))
    chosen = b.op.If(
        asked,
        then_branch=b.subgraph(lambda: b.op.Identity(w)),
        else_branch=b.subgraph(lambda: b.op.Identity(x)),
    )
    b.output(x * b.op.ReduceSum(b.op.MatMul(b.op.Transpose(chosen), x)), "y")
    b.output(chosen, "chosen")
    feeds = {"x": IMAGE[:, :1], "w": np.ones((5, 4)), "c": np.array("s" in batched)}
    feeds["s"] = np.array(-1.0 if "s" in batched else 1.0)
    empty = {n: np.zeros((0, *a.shape), a.dtype) if n in batched else a for n, a in feeds.items()}
    found = og.compile(og.vmap(b.build(), batched), backend).run(empty)
    assert {n: len(a) for n, a in found.items()} == {"y": 0, "chosen": 0}
