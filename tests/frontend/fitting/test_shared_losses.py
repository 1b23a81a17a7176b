"""Steps that processes share are those of the whole batch, or are refused with the reason."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from shared_runs import require_same
from threads import together

import onnxgrad as og

Arrays = dict[str, np.ndarray]
Loss = Callable[..., og.Tensor]

RNG = np.random.default_rng(0)
EXAMPLES = 13
X = RNG.normal(size=(EXAMPLES, 4))
TARGETS = {"t": RNG.normal(size=(EXAMPLES, 3))}
LABELS = {"label": RNG.integers(0, 3, size=EXAMPLES)}
IGNORED = {"label": np.where(np.arange(EXAMPLES) % 8 < 6, -100, LABELS["label"])}
"""The first part has but ignored ones, whether of two, three or five."""
MASKED = TARGETS | {"m": (np.arange(EXAMPLES * 3).reshape(-1, 3) % 7 < 3) * 1.0}
MASKED["m"][:5] = 0
WEIGHTS = np.array([0.1, 1.0, 3.0])
TEXTS = {"label": RNG.integers(0, 3, size=(EXAMPLES, 5))}
TEXTS["label"][:4], TEXTS["label"][5, 2:] = -100, -100


def built(loss: Loss, arrays: Mapping[str, np.ndarray]) -> tuple[og.Graph, Arrays]:
    """Give a linear layer with a loss of `op`, its result y, its weights w and the arrays."""
    b = og.Builder("linear")
    w = b.parameter("w", np.random.default_rng(1).normal(size=(4, 3)))
    y = b.input("x", "float64", ("N", 4)) @ w
    shapes = {n: ("T" if n == "series" else d for d in a.shape[1:2]) for n, a in arrays.items()}
    given = {n: b.input(n, a.dtype, ("N", *shapes[n], *a.shape[2:])) for n, a in arrays.items()}
    b.output(loss(b.op, y, w, **given), "loss")
    return b.build(), {"x": X, **arrays}


def squares(op: Any, y: Any, t: Any) -> Any:
    return (y - t) * (y - t)


def total(op: Any, x: Any) -> Any:
    return op.ReduceSum(x, keepdims=0)


def mean(op: Any, x: Any) -> Any:
    return op.ReduceMean(x, keepdims=0)


def size(op: Any, x: Any, axis: int = 0) -> Any:
    return op.Cast(op.Squeeze(op.Shape(x, start=axis, end=axis + 1), [0]), to="float64")


def numbers(op: Any, x: Any) -> Any:
    return op.Range(0, op.Squeeze(op.Shape(x, end=1), [0]), 1)


def pairs(op: Any, label: Any) -> Any:
    return op.Concat(op.Unsqueeze(numbers(op, label), [1]), op.Unsqueeze(label, [1]), axis=1)


SHARED: dict[str, tuple[Loss, Mapping[str, np.ndarray]]] = {
    "mean": (lambda op, y, w, t: mean(op, squares(op, y, t)), TARGETS),
    "sum": (lambda op, y, w, t: total(op, squares(op, y, t)) * 0.01, TARGETS),
    "mean and weight decay": (
        lambda op, y, w, t: mean(op, squares(op, y, t)) * 2.0 + total(op, w * w) * 0.1,
        TARGETS,
    ),
    "sum and weight decay": (
        lambda op, y, w, t: total(op, squares(op, y, t)) * 0.01 + total(op, w * w) * 0.1,
        TARGETS,
    ),
    "root of the mean": (lambda op, y, w, t: op.Sqrt(mean(op, squares(op, y, t))), TARGETS),
    "length": (lambda op, y, w, t: op.ReduceL2(y - t, keepdims=0) * 0.1, TARGETS),
    "sum of sizes": (lambda op, y, w, t: op.ReduceL1(y - t, keepdims=0) * 0.01, TARGETS),
    "means over examples": (
        lambda op, y, w, t: mean(op, op.Sqrt(op.ReduceMean(squares(op, y, t), [0]))),
        TARGETS,
    ),
    "over the number of examples": (
        lambda op, y, w, t: total(op, squares(op, y, t)) / (size(op, y) - 1.0),
        TARGETS,
    ),
    "over all numbers, each": (
        lambda op, y, w, t: total(op, squares(op, y, t) / op.Cast(op.Size(y), to="float64")),
        TARGETS,
    ),
    "covariance": (
        lambda op, y, w, t: mean(op, op.Transpose(y) @ t * (op.Transpose(y) @ y)) * 1e-3,
        TARGETS,
    ),
    "Gemm": (lambda op, y, w, t: mean(op, op.Gemm(y - t, y, transA=1)) * 0.01, TARGETS),
    "Einsum": (lambda op, y, w, t: op.Einsum(y - t, y, equation="ij,ij->") * 0.01, TARGETS),
    "two batches joined": (
        lambda op, y, w, t: mean(
            op, squares(op, *op.Split(op.Concat(y, t, axis=0), num_outputs=2, outputs=2))
        ),
        TARGETS,
    ),
    "labels by numbers of examples": (
        lambda op, y, w, label: -mean(op, op.GatherND(op.LogSoftmax(y, axis=-1), pairs(op, label))),
        LABELS,
    ),
    "targets by numbers of examples": (
        lambda op, y, w, t: mean(op, squares(op, y, op.Gather(t, numbers(op, t)))),
        TARGETS,
    ),
    "labels": (lambda op, y, w, label: op.SoftmaxCrossEntropyLoss(y, label), LABELS),
    "labels ignored": (
        lambda op, y, w, label: op.SoftmaxCrossEntropyLoss(y, label, ignore_index=-100),
        IGNORED,
    ),
    "labels ignored, sum": (
        lambda op, y, w, label: (
            op.SoftmaxCrossEntropyLoss(y, label, ignore_index=-100, reduction="sum") * 0.1
        ),
        IGNORED,
    ),
    "labels of classes with weights": (
        lambda op, y, w, label: op.SoftmaxCrossEntropyLoss(y, label, WEIGHTS, ignore_index=-100),
        IGNORED,
    ),
    "likelihood": (
        lambda op, y, w, label: op.NegativeLogLikelihoodLoss(
            op.LogSoftmax(y, axis=-1), label, WEIGHTS
        ),
        LABELS,
    ),
    "likelihood, ignored": (
        lambda op, y, w, label: op.NegativeLogLikelihoodLoss(
            op.LogSoftmax(y, axis=-1), label, ignore_index=-100
        ),
        IGNORED,
    ),
    "tokens, flattened": (
        lambda op, y, w, label: op.SoftmaxCrossEntropyLoss(
            op.Reshape(op.Expand(op.Unsqueeze(y, [1]), [1, 5, 1]), [-1, 3]),
            op.Reshape(label, [-1]),
            ignore_index=-100,
        ),
        TEXTS,
    ),
    "masked mean": (
        lambda op, y, w, t, m: total(op, squares(op, y, t) * m) / total(op, m),
        MASKED,
    ),
    "masked mean of at least one": (
        lambda op, y, w, t, m: total(op, squares(op, y, t) * m) / op.Max(total(op, m) + 1e-3, 1.0),
        MASKED,
    ),
    "over the number of positives": (
        lambda op, y, w, t, m: total(op, squares(op, y, t)) / total(op, m),
        MASKED,
    ),
    "weights that sum up to one": (
        lambda op, y, w, t, m: total(op, squares(op, y, t) * (m / total(op, m))),
        MASKED,
    ),
    "targets that are standardized": (
        lambda op, y, w, t: mean(
            op,
            squares(
                op, y, (t - op.ReduceMean(t, [0])) / op.ReduceL2(t - op.ReduceMean(t, [0]), [0])
            ),
        ),
        TARGETS,
    ),
    "several that count differently": (
        lambda op, y, w, t, m, label: (
            total(op, squares(op, y, t) * m) / total(op, m)
            + op.SoftmaxCrossEntropyLoss(y, label, ignore_index=-100)
            + mean(op, y * y)
        ),
        MASKED | IGNORED,
    ),
    "over a number of examples that inference does not follow": (
        lambda op, y, w, series: (
            total(op, op.Unsqueeze(y, [1]) * series)
            / op.Cast(op.Size(op.TopK(series, [2], axis=1, outputs=2)[0]), to="float64")
        ),
        {"series": RNG.normal(size=(EXAMPLES, 5, 3))},
    ),
    "over a length that run time tells": (
        lambda op, y, w, series: (
            total(op, op.Unsqueeze(y, [1]) * series) / op.Cast(op.Size(series), to="float64")
            + mean(op, op.Unsqueeze(y, [1]) * series / size(op, series, 1)) * size(op, series, 1)
        ),
        {"series": RNG.normal(size=(EXAMPLES, 5, 3))},
    ),
}


@pytest.mark.parametrize("name", SHARED)
def test_the_step_is_that_of_the_whole_batch(name: str) -> None:
    require_same(*built(*SHARED[name]))


@pytest.mark.parametrize("name", ["sum", "labels", "masked mean of at least one"])
def test_a_part_without_examples_adds_nothing(name: str) -> None:
    graph, data = built(*SHARED[name])
    require_same(graph, {n: a[-3:] for n, a in data.items()}, sizes=(5,))


def test_a_batch_in_which_nothing_counts_has_no_loss() -> None:
    graph, data = built(*SHARED["labels ignored"])
    data["label"] = np.full(EXAMPLES, -100)
    run: dict[str, Any] = {"optimizer": og.optim.SGD(0.3), "batch_size": EXAMPLES}
    for size in (1, 2):
        with pytest.raises(og.GraphError, match="the loss is nan"):
            together(size, lambda group: og.fit(graph, data, **run, parallel=group))


@pytest.mark.parametrize(
    "name", ["labels of classes with weights", "several that count differently"]
)
def test_onnxruntime_takes_it_too(name: str) -> None:
    require_same(*built(*SHARED[name]), sizes=(2,), backend="onnxruntime")


@pytest.mark.parametrize(
    "optimizer",
    [
        og.optim.clip_by_global_norm(og.optim.Adam(0.1), 0.5),
        og.optim.scale_loss(og.optim.SGD(0.1)),
        og.optim.accumulate(og.optim.SGD(0.1), 2),
        og.optim.SGD(og.optim.cosine(0.1, 4)),
    ],
    ids=str,
)
def test_any_optimizer_gets_the_gradient_of_the_whole(optimizer: Any) -> None:
    graph, data = built(*SHARED["mean and weight decay"])
    require_same(graph, data, sizes=(3,), optimizer=optimizer)


def test_single_numbers_are_fed_to_all() -> None:
    """A learning rate that is an input, which the update alone reads, and a share of a loss."""
    b = og.Builder("numbers")
    x, share = b.input("x", "float64", ("N", 4)), b.input("share", "float64", ())
    w = b.parameter("w", np.ones((4, 3)))
    y = x @ w
    b.output(mean(b.op, y * y) * share + total(b.op, w * w) * (1.0 - share), "loss")
    data = {"x": X, "share": np.array(0.25), "rate": np.array(0.5, np.float32)}
    require_same(b.build(), data, optimizer=og.optim.SGD("rate"))


REFUSED: dict[str, tuple[Loss, str]] = {
    "contrastive": (
        lambda op, y, w, t: mean(op, op.Exp(y @ op.Transpose(t))),
        "MatMul 'MatMul_1' compares examples with each other",
    ),
    "differences": (
        lambda op, y, w, t: mean(op, op.Unsqueeze(y, [0]) - op.Unsqueeze(t, [1])),
        "Sub 'Sub' compares examples with each other",
    ),
    "a mean that goes back": (
        lambda op, y, w, t: mean(op, (y - op.ReduceMean(y, [0])) * t),
        "Sub 'Sub' brings 'ReduceMean', .*, back to its examples",
    ),
    "along the batch": (
        lambda op, y, w, t: mean(op, op.Softmax(y, axis=0) * t),
        "Softmax 'Softmax' works along the axis of the examples",
    ),
    "the first": (
        lambda op, y, w, t: mean(op, y[:1] * t[:1]),
        "Slice 'Slice' takes examples by their places",
    ),
    "in reverse": (
        lambda op, y, w, t: mean(op, op.Slice(y, [-1], [-(2**31)], [0], [-1]) * t),
        "Slice 'Slice' takes examples by their places",
    ),
    "the worst": (
        lambda op, y, w, t: op.ReduceMax(squares(op, y, t), keepdims=0),
        "ReduceMax 'loss' reduces over examples what is no sum",
    ),
    "otherwise laid out": (
        lambda op, y, w, t: mean(op, op.Reshape(y, [3, -1]) * op.Transpose(t)),
        "Reshape 'Reshape' gives .* no axis of which is known to hold whole examples",
    ),
    "by its place": (
        lambda op, y, w, t: mean(
            op, y * t * op.Unsqueeze(op.Cast(numbers(op, t), to="float64"), [1])
        ),
        "Mul 'Mul_1' computes with numbers that examples have by their places",
    ),
    "as much of each as there are examples": (
        lambda op, y, w, t: mean(op, op.Slice(y, [0], op.Shape(t, end=1), [1])),
        "Slice 'Slice' gives each example a size that may depend on how many there are",
    ),
    "its neighbor": (
        lambda op, y, w, t: mean(
            op, y * op.Gather(t, op.Range(1, op.Squeeze(op.Shape(t, end=1), [0]) + 1, 1) % 2)
        ),
        "Range 'Range' numbers or compares examples by their places",
    ),
    "whatever has its number": (
        lambda op, y, w, t: mean(op, y * op.Gather(np.ones((2 * EXAMPLES, 3)), numbers(op, t))),
        "Gather 'Gather' computes with numbers that examples have by their places",
    ),
    "the number of another": (
        lambda op, y, w, t: mean(
            op,
            op.GatherND(
                y,
                op.Concat(
                    op.Unsqueeze(op.ArgMax(t, axis=1, keepdims=0), [1]),
                    op.Unsqueeze(numbers(op, t) * 0, [1]),
                    axis=1,
                ),
            ),
        ),
        "computes with numbers that examples have by their places|by their places",
    ),
    "for places": (
        lambda op, y, w, t: mean(op, y * t * np.arange(1.0, EXAMPLES + 1)[:, None]),
        "reads 'constant.*numbers for the examples by their places in the batch",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_mixes_examples_is_refused(name: str) -> None:
    loss, message = REFUSED[name]
    graph, data = built(loss, TARGETS)
    run: dict[str, Any] = {"optimizer": og.optim.SGD(0.3), "batch_size": EXAMPLES}
    og.fit(graph, data, **run)
    with pytest.raises(og.GraphError, match=f"{message}.*one process"):
        together(2, lambda group: og.fit(graph, data, **run, parallel=group))
