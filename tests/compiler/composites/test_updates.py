"""Update rules are differentiated by their bodies, to see what training depends on."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og


@pytest.mark.parametrize(
    "optimizer",
    [
        og.optim.AdamW(0.1, eps=0.1),
        og.optim.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    ],
    ids=["adamw", "sgd"],
)
def test_what_is_trained_depends_on_data_and_state(optimizer: Any) -> None:
    b = og.Builder("regression")
    w = b.parameter("w", np.array([[1.0, -2.0], [0.5, 3.0], [1.5, -1.0]]))
    x = b.input("x", "float64", (4, 3))
    b.output(b.op.ReduceMean(b.op.Tanh(x @ w) ** 2.0, keepdims=0), "loss")
    step = og.train_step(b.build(), "loss", optimizer)
    more = og.Builder.extend(step)
    weights = np.arange(6.0).reshape(3, 2)
    more.output(more.op.ReduceSum(more.value("w.new") * weights, keepdims=0), "total")
    feeds: dict[str, Any] = {"x": np.random.default_rng(0).normal(size=(4, 3))}
    for name, array in og.initial_state(step).items():
        feeds[name] = array if array.dtype.kind == "i" else array + 0.7
    wrt = [n for n, a in feeds.items() if a.dtype.kind == "f"]
    report = og.check_gradients(more.build(), of="total", wrt=wrt, feeds=feeds)
    assert report, str(report)
