"""Where backends part the operator at fault is named, and nothing else is blamed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends import registry
from onnxgrad.backends.numpy import NumpyBackend

Build = Callable[[og.Builder, og.Tensor], og.Tensor]

BOTH = ["numpy", "onnxruntime"]


def graph_of(function: Build) -> og.Graph:
    b = og.Builder("g")
    b.output(function(b, b.input("x", "float32", (4,))), "y")
    return b.build()


FAR = {"x": np.array([-20, -19, -22, -18], np.float32)}
"""There Sigmoid is 1e-9, and onnxruntime's is off by 1e-8: nothing beside 20, all beside 1e-9."""


@pytest.mark.parametrize(
    "function",
    [
        lambda b, x: b.op.Sigmoid(x),
        lambda b, x: b.op.Sigmoid(x * 1.5),
        lambda b, x: b.op.Transpose(b.op.Reshape(b.op.Sigmoid(x * 1.5), [2, 2])),
    ],
)
def test_an_operators_own_rounding_is_no_difference(function: Build) -> None:
    report = og.validate(graph_of(function), FAR, BOTH)
    assert report and report.first is None, str(report)
    assert "within the rounding of what" in report.comparisons[0].note


def test_rounding_that_adds_up_blames_nobody() -> None:
    report = og.validate(graph_of(lambda b, x: b.op.Sigmoid(x * 1.5) * 3.0 + 0.0), FAR, BOTH)
    assert report.first is None and report.comparisons[0].passed is None
    assert "rounding adds up" in report.comparisons[0].note
    assert "fusion" not in str(report) and "nothing was decided" in str(report)


class Fusing(NumpyBackend):
    """NumPy that is wrong where it is not asked for what is inside."""

    name = "fusing"

    def prepare(self, graph: og.Graph) -> Any:
        executable = super().prepare(graph)
        if len(graph.outputs) > 1:
            return executable

        class Off:
            def run(self, feeds: Any) -> Any:
                return {n: a * np.float32(1.1) for n, a in executable.run(feeds).items()}

        return Off()


def test_a_fusion_is_blamed_where_it_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    load, ours = registry._load, Fusing()
    monkeypatch.setattr(registry, "_load", lambda name: ours if name == "fusing" else load(name))
    monkeypatch.setattr("onnxgrad.backends.checking.everywhere.backend_names", lambda: ["fusing"])
    graph = graph_of(lambda b, x: b.op.Exp(b.op.Tanh(x)))
    report = og.validate(graph, {"x": np.ones(4, np.float32)}, ["numpy", "fusing"])
    assert not report and report.first is None
    assert "a fusion is at fault" in report.comparisons[0].note


def test_nan_on_both_sides_is_told() -> None:
    feeds = {"x": np.array([-1, 0, 1, 2], np.float32)}
    report = og.validate(graph_of(lambda b, x: b.op.Log(x)), feeds, BOTH)
    assert report and report.comparisons[0].note == "2 of 4 NaN or infinite on both sides"
    assert "2 of 4 NaN" in str(report) and "2 of 4 NaN" in report.to_json()
    pairs = graph_of(lambda b, x: b.op.SequenceConstruct(x, b.op.Log(x)))
    assert "2 of 4 NaN" in str(og.validate(pairs, feeds, BOTH))
    finite = og.validate(graph_of(lambda b, x: b.op.Exp(x)), feeds, BOTH)
    assert finite and finite.comparisons[0].note == ""
