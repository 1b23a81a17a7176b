"""Validation is of all examples together, whatever batches and processes they come in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_models import examples, regression
from threads import losses, together

import onnxgrad as og
from onnxgrad.fitting.batches import Order
from onnxgrad.fitting.data import open_data
from onnxgrad.fitting.evaluation import Accuracy, Evaluation, Metric
from onnxgrad.parallel import ALONE, Group

Arrays = dict[str, np.ndarray]

RNG = np.random.default_rng(5)
X = RNG.normal(size=(11, 4))
W = RNG.normal(size=(4, 3))
LABEL = np.where(np.arange(11) % 5 < 3, -100, RNG.integers(0, 3, size=11))
MASK = (np.arange(11) % 4 > 1) * 1.0
DATA = {"x": X, "label": LABEL, "m": MASK}


def model(loss: Any, count: Any = "N") -> og.Graph:
    b = og.Builder("linear")
    x, label = b.input("x", "float64", (count, 4)), b.input("label", "int64", (count,))
    m = b.input("m", "float64", (count,))
    y = x @ b.parameter("w", W)
    b.output(y, "y")
    b.output(loss(b.op, y, label, m), "loss")
    return b.build()


def labels(op: Any, y: Any, label: Any, m: Any) -> Any:
    return op.SoftmaxCrossEntropyLoss(y, label, ignore_index=-100)


def masked(op: Any, y: Any, label: Any, m: Any) -> Any:
    rows = op.ReduceSum(y * y, [1], keepdims=0)
    return op.ReduceSum(rows * m, keepdims=0) / op.ReduceSum(m, keepdims=0)


def summed(op: Any, y: Any, label: Any, m: Any) -> Any:
    return op.ReduceSum(y * y, keepdims=0)


def normalized(op: Any, y: Any, label: Any, m: Any) -> Any:
    """Its inner sum must be known before the outer one is taken."""
    rows = op.ReduceSum(y * y, [1], keepdims=0)
    return op.ReduceSum(rows * (m / op.ReduceSum(m, keepdims=0)), keepdims=0)


def centered(op: Any, y: Any, label: Any, m: Any) -> Any:
    """A mean goes back to its examples, through which nothing is trained here."""
    rest = y - op.ReduceMean(y, [0])
    return op.ReduceMean(rest * rest, keepdims=0)


def surprises() -> np.ndarray:
    y = X @ W
    counted = LABEL >= 0
    logs = y - np.log(np.exp(y).sum(1, keepdims=True))
    return -logs[counted, LABEL[counted]]


def squares() -> np.ndarray:
    found: np.ndarray = ((X @ W) ** 2).sum(1)
    return found


EXPECTED = {
    labels: surprises().mean(),
    masked: squares()[MASK > 0].mean(),
    summed: squares().sum(),
    normalized: squares()[MASK > 0].mean(),
    centered: (X @ W).var(0).mean(),
}


def evaluate(
    graph: og.Graph,
    size: int,
    metric: Metric | None = None,
    group: Group = ALONE,
    data: Any = DATA,
) -> tuple[float, float | None]:
    order = Order(shuffle=False, rank=group.rank, ranks=group.size)
    seen = open_data(data, graph.inputs, size, order)
    return Evaluation(graph, "loss", metric, ["w"], seen, "numpy", group)({"w": W})


@pytest.mark.parametrize("loss", EXPECTED, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("size", [1, 4, 11])
def test_the_loss_is_of_all_examples(loss: Any, size: int) -> None:
    found, _ = evaluate(model(loss), size)
    np.testing.assert_allclose(found, EXPECTED[loss], rtol=1e-12)


@pytest.mark.parametrize("loss", EXPECTED, ids=lambda loss: loss.__name__)
def test_processes_find_the_same(loss: Any) -> None:
    def run(group: Group) -> Any:
        return evaluate(model(loss), 3, Accuracy("y", "label"), group)

    right = ((X @ W).argmax(1) == LABEL)[LABEL >= 0].mean()
    for found in together(4, run):
        np.testing.assert_allclose(found, (EXPECTED[loss], right), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 4, 11])
def test_accuracy_is_of_all_labels_that_count(size: int) -> None:
    _, found = evaluate(model(labels), size, Accuracy("y", "label"))
    right = (X @ W).argmax(1) == LABEL
    assert found == pytest.approx(right[LABEL >= 0].mean(), rel=1e-12)


def test_a_number_alone_is_a_mean_over_examples() -> None:
    def largest(outputs: Any, feeds: Any) -> float:
        assert set(outputs) == {"y", "loss"}
        return float(outputs["y"].max(1).mean())

    _, found = evaluate(model(labels), 4, largest)
    assert found == pytest.approx((X @ W).max(1).mean(), rel=1e-12)


def by_examples(loss: Any, cuts: list[slice]) -> float:
    """Give the mean over batches as their numbers of examples weigh them."""
    f = og.compile(model(loss))
    parts = [{n: a[cut] for n, a in DATA.items()} for cut in cuts]
    return sum(float(f.run(p)["loss"]) * len(p["x"]) for p in parts) / len(X)


def test_batches_that_are_compared_within_weigh_as_they_are_large() -> None:
    def contrast(op: Any, y: Any, label: Any, m: Any) -> Any:
        return op.ReduceMean(op.Tanh(y @ op.Transpose(y)), keepdims=0)

    found, _ = evaluate(model(contrast), 4)
    expected = by_examples(contrast, [slice(0, 4), slice(4, 8), slice(8, 11)])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_batches_of_one_size_are_taken_as_they_are() -> None:
    found, _ = evaluate(model(masked, 4), 4, data={n: a[:8] for n, a in DATA.items()})
    f = og.compile(model(masked))
    parts = [{n: a[k : k + 4] for n, a in DATA.items()} for k in (0, 4)]
    np.testing.assert_allclose(found, np.mean([f.run(p)["loss"] for p in parts]), rtol=1e-12)


def test_sums_of_changing_sizes_are_those_of_batches() -> None:
    """Sequences of each batch have their own length, over which nothing is summed."""
    b = og.Builder("series")
    x = b.input("x", "float64", ("N", "T"))
    means = b.op.ReduceMean(x * b.parameter("w", np.ones(1)), [0], keepdims=0)
    b.output(b.op.ReduceMean(means * means, keepdims=0), "loss")
    graph, batches = b.build(), [{"x": RNG.normal(size=(3, t))} for t in (2, 5)]
    seen = open_data(batches, graph.inputs, None, Order())
    found, _ = Evaluation(graph, "loss", None, ["w"], seen, "numpy")({"w": np.ones(1)})
    expected = np.mean([(batch["x"].mean(0) ** 2).mean() for batch in batches])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_no_examples_are_refused() -> None:
    graph = model(labels)
    seen = open_data([], graph.inputs, None, Order())
    evaluation = Evaluation(graph, "loss", None, ["w"], seen, "numpy")
    with pytest.raises(og.GraphError, match="hold no examples"):
        evaluation({"w": W})


def test_a_run_goes_on_by_the_same_metric(tmp_path: Path) -> None:
    """A score of another kind is not better or worse than the best so far."""

    def first(outputs: Any, feeds: Any) -> float:
        return float(outputs["y"].mean())

    def second(outputs: Any, feeds: Any) -> float:
        return float(-outputs["y"].mean())

    data = examples(16, "float64")
    run: dict[str, Any] = {"optimizer": og.optim.SGD(0.1), "checkpoints": tmp_path, "resume": True}
    run |= {"validation": data}
    og.fit(regression("float64"), data, **run, metric=first)
    went_on = og.fit(regression("float64"), data, **run, metric=first, epochs=2)
    assert len(losses(went_on, "validation")) == 1
    for other in (second, None):
        with pytest.raises(og.ModelFileError, match=r"made with metric .*first.*, this run has"):
            og.fit(regression("float64"), data, **run, metric=other, epochs=3)
