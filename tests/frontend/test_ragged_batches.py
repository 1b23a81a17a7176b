"""vmap through tensors whose shape is another one for each example, inside and out of control flow.

The reference is the graph for one example, run for each example in turn.
"""

from collections.abc import Callable

import numpy as np
import pytest

import onnxgrad as og

BACKENDS = ["numpy", "onnxruntime"]
COUNTER = ("int64", ()), ("bool", ())
X = np.array([[0.3, -0.7, 1.2], [0.9, 0.4, 0.5], [-0.2, -0.1, -1.5], [0.1, -0.6, 2.0]])
W = np.array([1.7, 2.5, -0.6])


def positive_numbers(b: og.Builder, x: og.Tensor, w: og.Tensor) -> og.Tensor:
    """Σ over the positive elements, gathered by NonZero"""
    places = b.op.Transpose(b.op.NonZero(x > 0.0))
    chosen = b.op.GatherND(x * w, places)
    return b.op.ReduceSum(chosen * chosen * chosen, keepdims=0)


def as_many_as_it_says(b: og.Builder, x: og.Tensor, w: og.Tensor) -> og.Tensor:
    """A Loop whose trip count is another one for each example"""
    count = b.op.Cast(b.op.ReduceSum(b.op.Relu(x), keepdims=0) * 2.0, to=7)
    step = b.subgraph(lambda i, keep, t: (keep, b.op.Tanh(t * w) + x, t * t), *COUNTER, x)
    last, tape = b.op.Loop(count, None, x, body=step)
    return b.op.ReduceSum(b.op.Sin(tape), keepdims=0) + b.op.ReduceSum(last, keepdims=0)


def until_it_is_large(b: og.Builder, x: og.Tensor, w: og.Tensor) -> og.Tensor:
    """A Loop that ends early, at another step for each example"""

    def step(i: og.Tensor, keep: og.Tensor, t: og.Tensor) -> tuple[og.Tensor, og.Tensor]:
        return b.op.ReduceSum(t * t, keepdims=0) < 20.0, t * w + x * x

    return b.op.ReduceSum(b.op.Loop(9, None, x, body=b.subgraph(step, *COUNTER, x)), keepdims=0)


def one_way_or_the_other(b: og.Builder, x: og.Tensor, w: og.Tensor) -> og.Tensor:
    """An If whose branches give different shapes, on a condition of each example"""
    y = b.op.If(
        b.op.ReduceSum(x, keepdims=0) > 0.0,
        then_branch=b.subgraph(lambda: b.op.Tanh(x * w)[:2]),
        else_branch=b.subgraph(lambda: x * w * w),
    )
    return b.op.ReduceSum(b.op.Sin(y), keepdims=0)


def numbered(b: og.Builder, x: og.Tensor, w: og.Tensor) -> og.Tensor:
    """A weighted sum over as many numbers as the example says"""
    count = b.op.Cast(b.op.ReduceSum(b.op.Relu(x), keepdims=0) * 2.0 + 1.0, to=7)
    numbers = b.op.Cast(b.op.Range(np.array(0), count, np.array(1)), to=11)
    weights = b.op.Softmax(b.op.MatMul(b.op.Unsqueeze(numbers, [1]), b.op.Unsqueeze(x * w, [0])))
    return b.op.ReduceSum(weights * weights, keepdims=0)


def best_boxes(b: og.Builder, x: og.Tensor, w: og.Tensor) -> og.Tensor:
    """Σ of the squares of scores that a suppression of shared boxes leaves"""
    corners = np.array([[0, 0, 2, 2], [0, 0, 2, 1.9], [4, 4, 5, 5]], np.float32)
    scores = b.op.Unsqueeze(x * x * w * w, [0, 1])
    narrow = b.op.Cast(scores, to=1)
    limits = np.array([3]), np.array([0.5], np.float32), np.array([0.1], np.float32)
    kept = b.op.NonMaxSuppression(b.constant(corners[None]), narrow, *limits)
    chosen = b.op.GatherND(scores, kept)
    return b.op.ReduceSum(chosen * chosen * chosen, keepdims=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "build",
    [
        best_boxes,
        positive_numbers,
        as_many_as_it_says,
        until_it_is_large,
        one_way_or_the_other,
        numbered,
    ],
)
@pytest.mark.parametrize("order", [0, 1, 2])
def test_each_example_has_a_shape_of_its_own(
    build: Callable[..., og.Tensor], order: int, backend: str
) -> None:
    b = og.Builder(build.__name__)
    x, w = b.input("x", "float64", (3,)), b.input("w", "float64", (3,))
    b.output(build(b, x, w), "y")
    graph = b.build()
    for k in range(order):
        total = "y" if not k else "x.grad0"
        graph = og.vjp(
            graph, total, ["x", "w"], names={n: f"{n}.grad{k}" for n in ("x", "w", total)}
        )
    feeds = {
        v.name: np.full([int(d) for d in v.shape or ()], 0.7) for v in graph.inputs if v.name != "x"
    } | {"w": W}
    single, whole = og.compile(graph), og.compile(og.vmap(graph, "x"), backend)
    each = [single.run({**feeds, "x": x}) for x in X]
    for name, array in whole.run({**feeds, "x": X}).items():
        np.testing.assert_allclose(array, [r[name] for r in each], rtol=1e-9, atol=1e-12)


def test_tapes_of_different_lengths_are_refused_when_they_run() -> None:
    b = og.Builder("tapes")
    count = b.input("count", "int64", ())
    x = b.constant(np.array([1.0, 2.0]))
    step = b.subgraph(lambda i, keep, t: (keep, t * t, t), *COUNTER, x)
    b.output(b.op.Loop(count, None, x, body=step)[1], "tape")
    compiled = og.compile(og.vmap(b.build(), "count"))
    assert compiled.run({"count": np.array([2, 2])})["tape"].shape == (2, 2, 2)
    with pytest.raises(og.GraphError, match="from step to step: \\(1, 2\\), \\(3, 2\\)"):
        compiled.run({"count": np.array([1, 3])})
