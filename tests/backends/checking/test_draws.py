"""What is drawn at random is held: differences and backends see the same draw."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.checking.random_feeds import draw_feeds
from onnxgrad.compiler.gradients import RULES


def dropped(ratio: Any = 0.5) -> og.Graph:
    b = og.Builder("g")
    x = b.input("x", "float32", (40,))
    given = b.input("ratio", "float32", ()) if ratio is None else ratio
    y = b.op.Dropout(x * x, given, b.input("training", "bool", ()), name="drop")
    b.output(b.op.ReduceSum(y * b.op.RandomUniformLike(y), keepdims=0), "y")
    return b.build()


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_checked_with_its_mask_held(training: bool) -> None:
    backends = ["numpy", "onnxruntime"]
    report = og.check_gradients(dropped(), "y", "x", {"training": np.array(training)}, backends)
    assert report and not report.undecided, str(report)
    assert {c.of for c in report.comparisons} == {"gradient", *backends}
    assert "drawn at random, once for all: Dropout 'drop', RandomUniformLike" in str(report)


def test_the_ratio_of_dropout() -> None:
    feeds = {"training": np.array(True), "ratio": np.float32(0.3)}
    report = og.check_gradients(dropped(None), "y", ["x", "ratio"], feeds)
    assert report and not report.undecided, str(report)


def test_a_wrong_rule_of_dropout_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = RULES["", "Dropout"]

    def rule(op: Any, node: og.Node, dy: og.Value, mask: Any = None) -> Any:
        entries: Any = right.function(op, node, dy, mask)
        return op.Mul(entries[0], 1.01), None, None

    monkeypatch.setitem(RULES, ("", "Dropout"), replace(right, function=rule))
    assert not og.check_gradients(dropped(), "y", "x", {"training": np.array(True)})


def test_draws_inside_a_loop_decide_nothing() -> None:
    b = og.Builder("g")
    x = b.input("x", "float32", (3,))
    body = b.subgraph(
        lambda i, keep, s: (keep, b.op.Dropout(s, 0.5, True)), ("int64", ()), ("bool", ()), x
    )
    b.output(b.op.Loop(2, None, x, body=body, name="again"), "y")
    report = og.check_gradients(b.build(), "y", "x")
    assert not report and [c.passed for c in report.comparisons] == [None]
    assert "Loop 'again' draws random numbers" in report.undecided[0].note
    assert "nothing was decided" in str(report) and "differs" not in str(report)


def test_what_an_optimizer_sums_up_is_not_negative() -> None:
    """The root of a negative mean of squares would be NaN everywhere."""
    b = og.Builder()
    w = b.parameter("w", np.ones((40, 3), np.float32))
    b.output(b.op.ReduceSum(b.input("x", "float32", (2, 40)) @ w, keepdims=0), "loss")
    step = og.train_step(b.build(), "loss", og.optim.AdamW(0.1))
    for value in step.inputs:
        value.constant = None  # as in a file without the first state
    feeds = draw_feeds(step, None)
    assert feeds["w"].min() < 0 <= min(feeds["w.mean"].min(), feeds["w.square"].min())
    results = og.compile(step).run(feeds)
    assert all(np.isfinite(array).all() for array in results.values())
