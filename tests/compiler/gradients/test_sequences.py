"""Gradients through sequences and optionals against finite differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from finite_differences import finite_differences

import onnxgrad as og

X = np.array([[0.3, -0.7, 1.1], [0.9, 0.4, -0.2], [-1.3, 0.8, 0.5]])


def construct(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    s = b.op.SequenceConstruct(x, x * x)
    return b.op.SequenceAt(s, n) * b.op.SequenceAt(s, -1)


def insert(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    s = b.op.SequenceConstruct(x, x * x)
    s = b.op.SequenceInsert(b.op.SequenceInsert(s, x * 3.0), b.op.Sin(x), n)
    return b.op.ConcatFromSequence(s, axis=1)


def insert_from_the_end(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    s = b.op.SequenceInsert(b.op.SequenceConstruct(x, x * x), b.op.Sin(x), -1)
    return b.op.ConcatFromSequence(s, axis=1)


def erase(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    s = b.op.SequenceErase(b.op.SequenceConstruct(x, x * x, b.op.Sin(x)), n)
    return b.op.ConcatFromSequence(b.op.SequenceErase(s), axis=0)


def split_into_ones(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    s = b.op.SplitToSequence(x, axis=1, keepdims=0)
    return b.op.ConcatFromSequence(s, axis=0, new_axis=1) * b.op.SequenceAt(s, n)


def split_by_sizes(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    s = b.op.SplitToSequence(x, np.array([2, 1]), axis=1)
    return b.op.ConcatFromSequence(b.op.SequenceInsert(s, x * x, 1), axis=1)


def split_by_a_number(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    s = b.op.SplitToSequence(x, np.array(2), axis=-1)
    return b.op.SequenceAt(s, n) * b.op.SequenceAt(s, 0)


def mapped(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    s = b.op.SplitToSequence(x * x, axis=0, keepdims=0)
    row = ("float64", (3,))
    body = b.subgraph(lambda e, whole: (whole @ e, b.op.Sin(e) * x), row, x)
    first, second = b.op.SequenceMap(s, x, body=body)
    return b.op.ConcatFromSequence(first, axis=0, new_axis=1) + b.op.SequenceAt(second, n)


def optional(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    y = b.op.Optional(b.op.Sin(x))
    return b.op.OptionalGetElement(y) * b.op.OptionalGetElement(y)


def collected_in_a_loop(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    start = b.op.SequenceConstruct(x)

    def step(i: og.Tensor, keep: og.Tensor, s: og.Tensor, t: og.Tensor) -> Any:
        t = b.op.Sin(t) * x
        return keep, b.op.SequenceInsert(s, t * t), t

    body = b.subgraph(step, ("int64", ()), ("bool", ()), start, x)
    s, t = b.op.Loop(n + 1, None, start, x, body=body)
    return b.op.ConcatFromSequence(s, axis=0) + b.op.ReduceSum(t)


def collected_while(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    """Each step adds another list of rows; torch writes EmbeddingBag so."""
    start = b.op.SequenceConstruct(x)

    def step(i: og.Tensor, keep: og.Tensor, s: og.Tensor, k: og.Tensor) -> Any:
        rows = b.op.Slice(x, b.op.Reshape(k, [1]), b.op.Reshape(k + 2, [1]), [0])
        return k < n, b.op.SequenceInsert(s, b.op.Sin(rows)), k + 1

    body = b.subgraph(step, ("int64", ()), ("bool", ()), start, ("int64", ()))
    s, _ = b.op.Loop(None, n >= 0, start, b.constant(np.array(0)), body=body)
    return b.op.ConcatFromSequence(s, axis=0)


def read_in_a_loop(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    rows = b.op.SplitToSequence(x * x, axis=0)

    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> Any:
        return keep, b.op.Sin(t) * b.op.SequenceAt(rows, i)

    return b.op.Loop(n + 1, None, x, body=b.subgraph(step, ("int64", ()), ("bool", ()), x))


def in_a_branch(b: og.Builder, x: og.Tensor, n: og.Tensor) -> Any:
    s = b.op.SequenceConstruct(x, x * x)
    branches = {
        "then_branch": b.subgraph(lambda: b.op.SequenceInsert(s, b.op.Sin(x))),
        "else_branch": b.subgraph(lambda: b.op.SequenceErase(s)),
    }
    return b.op.ConcatFromSequence(b.op.If(n > 0, **branches), axis=0)


GRAPHS: list[Callable[..., Any]] = [
    construct,
    insert,
    insert_from_the_end,
    erase,
    split_into_ones,
    split_by_sizes,
    split_by_a_number,
    mapped,
    optional,
    collected_in_a_loop,
    collected_while,
    read_in_a_loop,
    in_a_branch,
]


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("build", GRAPHS)
def test_gradient_and_second_order(build: Callable[..., Any], count: int) -> None:
    b = og.Builder()
    x, n = b.input("x", "float64", (3, 3)), b.input("n", "int64", ())
    y = build(b, x, n)
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    graph = b.build()
    feeds = {"x": X, "n": np.array(count)}
    first = og.grad(graph, "loss", "x")
    b_feeds = {**feeds, "x.grad.grad": np.cos(np.arange(9.0)).reshape(3, 3)}
    second = og.vjp(first, "x.grad", "x", names={"x": "x.second"})
    run, run_first = og.compile(graph).run, og.compile(first).run
    expected = finite_differences(lambda f: float(run(f)["loss"]), feeds, "x")

    def projected(f: dict[str, Any]) -> float:
        return float((run_first(f)["x.grad"] * b_feeds["x.grad.grad"]).sum())

    expected_second = finite_differences(projected, feeds, "x")
    for backend in ("numpy", "onnxruntime"):
        actual = og.compile(second, backend).run(b_feeds)
        np.testing.assert_allclose(actual["x.grad"], expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(actual["x.second"], expected_second, rtol=1e-5, atol=1e-5)


def operators(graph: og.Graph) -> set[str]:
    return {n.op_type for n in graph.nodes()}


def test_known_parts_of_a_split_need_no_sequence() -> None:
    b = og.Builder()
    x = b.input("x", "float64", ("n", 5))
    by_sizes = b.op.SplitToSequence(x, np.array([1, 4]), axis=1)
    by_number = b.op.SplitToSequence(x, np.array(2), axis=-1)
    ones = b.op.SplitToSequence(x, axis=1, keepdims=0)
    y = b.op.SequenceAt(by_sizes, 0) * b.op.SequenceAt(by_number, -1)
    y = y * b.op.SequenceAt(by_number, 0) + b.op.Unsqueeze(b.op.SequenceAt(ones, 3), [1])
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    graph = b.build()
    first = og.grad(graph, "loss", "x")
    assert operators(first).isdisjoint({"SequenceAt", "SplitToSequence", "Iterate"})
    feeds = {"x": np.array([[0.3, -0.7, 1.1, 0.2, 0.6], [0.9, 0.4, -0.2, -0.8, 0.1]])}
    run = og.compile(graph).run
    expected = finite_differences(lambda f: float(run(f)["loss"]), feeds, "x")
    for backend in ("numpy", "onnxruntime"):
        actual = og.compile(first, backend).run(feeds)["x.grad"]
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)
