"""Reports are true where backends agree, and name what differs where they do not."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends import registry
from onnxgrad.backends.interpreter import Interpreter
from onnxgrad.backends.kernels.registry import KERNELS, KernelEntry
from onnxgrad.backends.numpy import NumpyBackend
from onnxgrad.compiler.gradients import RULES


def network(dtype: str = "float32") -> og.Graph:
    b = og.Builder("network")
    x = b.input("x", dtype, ("N", 4))
    w = b.parameter("w", np.linspace(-1, 1, 12).reshape(4, 3).astype(dtype))
    labels = b.input("labels", "int64", ("N",))
    h = b.op.Tanh(x @ w, name="squash")
    b.output(h * h, "y")
    table = b.input("table", dtype, (7, 3))
    b.output(b.op.ReduceSum(b.op.Gather(table, labels) * h, keepdims=0), "loss")
    return b.build()


class Faulty(NumpyBackend):
    """NumPy with a Tanh that is one per cent too large."""

    name = "faulty"

    def prepare(self, graph: og.Graph) -> Interpreter:
        right = KERNELS["", "Tanh"]

        def tanh(xp: Any, x: Any) -> Any:
            return right.function(xp, x) * np.float32(1.01)

        KERNELS["", "Tanh"] = KernelEntry(tanh, False)
        try:
            return super().prepare(graph)
        finally:
            KERNELS["", "Tanh"] = right


class Raising(NumpyBackend):
    name = "raising"

    def prepare(self, graph: og.Graph) -> Interpreter:
        raise RuntimeError("out of order")


@pytest.fixture
def third_parties(monkeypatch: pytest.MonkeyPatch) -> None:
    load = registry._load
    ours = {b.name: b for b in (Faulty(), Raising())}
    monkeypatch.setattr(registry, "_load", lambda name: ours.get(name) or load(name))


def test_agreement_is_true() -> None:
    report = og.validate(network(), backends=["numpy", "onnxruntime"])
    assert report and report.first is None
    assert {(c.value, c.of) for c in report.comparisons} == {
        ("y", "onnxruntime"),
        ("loss", "onnxruntime"),
    }
    assert "loss" in str(report) and "ok" in str(report)


@pytest.mark.usefixtures("third_parties")
def test_the_first_divergence_is_named() -> None:
    report = og.validate(network(), backends=["numpy", "faulty", "onnxruntime"])
    assert not report
    assert report.first is not None and report.first.of == "faulty"
    assert report.first.producer == "Tanh 'squash'"
    assert report.first.error == pytest.approx(0.01, rel=1e-3)
    assert "which Tanh 'squash' computes, differs between faulty and numpy" in str(report)
    content = json.loads(report.to_json())
    assert content["passed"] is False and content["first"]["producer"] == "Tanh 'squash'"
    assert {c["of"]: c["passed"] for c in content["comparisons"]} == {
        "faulty": False,
        "onnxruntime": True,
    }


@pytest.mark.usefixtures("third_parties")
def test_a_failure_is_a_finding() -> None:
    report = og.validate(network(), backends=["numpy", "raising"])
    assert not report
    assert report.failures == {"raising": "RuntimeError: out of order"}
    assert "nothing was compared" in str(report)


def test_what_cannot_run_is_listed_with_the_reason() -> None:
    b = og.Builder("g")
    b.output(b.op.Erf(b.input("x", "float64", (3,))), "y")
    report = og.validate(b.build())
    assert "Erf(float64[3])" in report.unavailable["onnxruntime"]


def test_feeds_are_drawn_and_checked() -> None:
    x = np.ones((5, 4), np.float32)
    assert og.validate(network(), {"x": x})  # the other input with N follows
    with pytest.raises(og.GraphError, match="not an input: z"):
        og.validate(network(), {"z": x})
    b = og.Builder("g")
    b.output(b.op.Neg(b.input("x", "float32", None)), "y")
    with pytest.raises(og.GraphError, match="no random values for 'x'"):
        og.validate(b.build())


def test_random_values_are_not_compared() -> None:
    b = og.Builder("g")
    x = b.input("x", "float32", (64,))
    b.output(b.op.Neg(x), "y")
    b.output(x + b.op.RandomUniformLike(x), "z")
    report = og.validate(b.build(), backends=["numpy", "onnxruntime"])
    assert report and [c.value for c in report.comparisons] == ["y"]
    assert "drawn at random, not compared: z" in str(report)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_gradients_are_true(dtype: str) -> None:
    report = og.check_gradients(network(dtype), "loss", ["x", "w", "table", "squash"])
    assert report, str(report)
    against = {(c.of, c.against) for c in report.comparisons}
    assert {("gradient", "finite differences"), ("onnxruntime", "float64")} <= against


def test_several_outputs_and_an_output_by_itself() -> None:
    assert og.check_gradients(network(), ["y", "loss"], ["w"])
    b = og.Builder("g")
    x = b.input("x", "float32", (3,))
    y = b.op.Exp(x)
    b.output(y, "y")
    b.output(y * y, "z")
    assert og.check_gradients(b.build(), "z", ["x", "y"])


def test_a_wrong_rule_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = RULES["", "Tanh"]

    def rule(op: Any, node: og.Node, dy: og.Value) -> Any:
        return op.Mul(right.function(op, node, dy), 1.001)

    wrong = replace(right, function=rule)
    monkeypatch.setitem(RULES, ("", "Tanh"), wrong)
    report = og.check_gradients(network(), "loss", ["x", "table"])
    assert not report
    verdicts = {c.value: c.passed for c in report.comparisons if c.of == "gradient"}
    assert verdicts == {"x.grad": False, "table.grad": True}


def test_a_wrong_rule_is_found_though_what_is_drawn_first_makes_all_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the first seed both ends of every edge are the same atom."""
    b = og.Builder("forces")
    x, edges = b.input("x", "float32", ("atoms", 3)), b.input("edges", "int64", (2, "edges"))
    ends = [b.op.Gather(x, b.op.Gather(edges, np.array(k))) for k in range(2)]
    cubes = b.op.Pow(ends[0] - ends[1], np.array(3, np.float32))
    b.output(b.op.ReduceSum(cubes, keepdims=0), "energy")
    graph = b.build()
    assert og.check_gradients(graph, "energy", "x", backends=["numpy"])
    right = RULES["", "Pow"]

    def rule(op: Any, node: og.Node, dy: og.Value) -> Any:
        return right.function(op, node, op.Mul(dy, 1.5))

    monkeypatch.setitem(RULES, ("", "Pow"), replace(right, function=rule))
    assert not og.check_gradients(graph, "energy", "x", backends=["numpy"])


def test_overflow_in_half_precision_is_reported() -> None:
    b = og.Builder("g")
    x = b.input("x", "float16", (4,))
    b.output(b.op.ReduceSum(b.op.Exp(x), keepdims=0), "loss")
    report = og.check_gradients(b.build(), "loss", "x", {"x": np.full(4, 12, np.float16)})
    assert not report
    assert "overflows float16" in str(report)
    assert og.check_gradients(b.build(), "loss", "x", {"x": np.ones(4, np.float16)})


@pytest.mark.parametrize("number", [np.nan, -1.0, np.inf])
def test_nothing_is_compared_where_nothing_is_finite(number: float) -> None:
    b = og.Builder("g")
    x = b.input("x", "float64", (4,))
    b.output(b.op.ReduceSum(b.op.Sqrt(x), keepdims=0), "loss")
    report = og.check_gradients(b.build(), "loss", "x", {"x": np.array([1.0, 2.0, number, 3.0])})
    assert not report
    assert "not finite here" in str(report)


@pytest.mark.parametrize("name", ["vit", "branches", "graph_attention", "rnn_relu"])
def test_models_that_torch_exported(name: str) -> None:
    path = Path(__file__).parents[2] / f"fixtures/torch_models/{name}.onnx"
    graph, arrays = og.load(path), np.load(path.with_suffix(".npz"))
    feeds = {v.name: arrays[f"input/{v.name}"] for v in graph.inputs}
    assert og.validate(graph, feeds)
    assert og.validate(graph), "drawn feeds fit the model"
    wrt = [v.name for v in graph.values() if f"grad/{v.name}" in arrays]
    report = og.check_gradients(graph, [v.name for v in graph.outputs], wrt, feeds)
    assert report, str(report)


def test_a_saved_file_that_stock_onnxruntime_refuses_is_told() -> None:
    """Our backend computes Tanh of bfloat16 in float32; a file holds the operator itself."""
    b = og.Builder("g")
    y = b.op.Tanh(b.op.Cast(b.input("x", "float32", (3,)), to="bfloat16"))
    b.output(b.op.Cast(y, to="float32"), "y")
    report = og.validate(b.build())
    assert report and "Tanh" in report.unavailable["saved file in onnxruntime"]
    assert not og.validate(network()).unavailable.get("saved file in onnxruntime")


def test_the_saved_file_of_a_training_step_is_run_too() -> None:
    """Its state has a start, and feeds may be lists: the file is fed what our backends are."""
    step = og.train_step(network(), "loss", og.optim.SGD(0.1, momentum=0.9))
    report = og.validate(step, {"x": [[1, 2, 3, 4]], "labels": [2]})
    assert report and "saved file in onnxruntime" not in report.unavailable
