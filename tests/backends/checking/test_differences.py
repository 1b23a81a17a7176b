"""Right gradients are never said to differ; where differences tell nothing, that is said."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from op_samples import SAMPLES
from op_samples.graphs import feeds_of, float_outputs, wrt_of
from op_samples.graphs import graph_of as sample_graph
from op_samples.sample import Sample

import onnxgrad as og
from onnxgrad.backends.checking.report import Comparison
from onnxgrad.compiler.gradients import RULES

Build = Callable[[og.Builder, og.Tensor], og.Tensor]


def graph_of(function: Build, *shape: int) -> og.Graph:
    b = og.Builder("g")
    y = function(b, b.input("x", "float32", shape or (4,)))
    b.output(b.op.ReduceSum(y, keepdims=0), "y")
    return b.build()


def by_differences(graph: og.Graph, feeds: Any = None, wrt: Any = "*") -> list[Comparison]:
    report = og.check_gradients(graph, "y", wrt, feeds)
    assert "differs" not in str(report), str(report)
    assert all(c.passed for c in report.comparisons if c.of != "gradient"), str(report)
    return [c for c in report.comparisons if c.of == "gradient"]


BENT: list[tuple[Build, Any]] = [
    (lambda b, x: b.op.Relu(x), np.zeros(4)),
    (lambda b, x: b.op.Abs(x) * 3, np.zeros(4)),
    (lambda b, x: b.op.Clip(x, -1.0, 1.0), np.array([1, 0.5, -1, 3], np.float32)),
    (lambda b, x: b.op.Floor(x) + x, np.zeros(4)),
    (lambda b, x: b.op.Max(x, b.op.Neg(x)), np.zeros(4)),
    (lambda b, x: b.op.MaxPool(b.op.Reshape(x, [1, 1, 4]), kernel_shape=[2]), np.ones(4)),
    (lambda b, x: b.op.ReduceMax(x), np.ones(4)),
    (lambda b, x: b.op.LeakyRelu(x) - b.op.Relu(x), np.array([0, 1, 2, 3], np.float32)),
]


@pytest.mark.parametrize(("function", "at"), BENT)
def test_at_a_kink_nothing_is_decided(function: Build, at: Any) -> None:
    graph = graph_of(function)
    report = og.check_gradients(graph, "y", "x", {"x": at.astype("f")})
    (found,) = [c for c in report.comparisons if c.of == "gradient"]
    assert found.passed is None and found in report.undecided
    assert "not smooth here" in found.note and "ahead" in found.note
    assert report, "the backends agree with float64"
    content = json.loads(report.to_json())
    assert content["passed"] and content["comparisons"][0]["passed"] is None
    assert "undecided: not smooth here" in " ".join(str(report).replace("│", " ").split())


def test_a_shape_that_hangs_on_numbers() -> None:
    b = og.Builder("g")
    b.output(b.op.Unique(b.input("x", "float32", (4,))), "y")
    report = og.check_gradients(b.build(), "y", "x", {"x": np.ones(4, np.float32)})
    assert "changes its shape" in report.undecided[0].note


STEEP: list[Build] = [
    lambda b, x: b.op.MeanVarianceNormalization(x, axes=[0]) * np.array([1, 2, 3, 4], np.float32),
    lambda b, x: b.op.Tanh(x * 1e9),
    lambda b, x: b.op.Floor(x * 1e7 + 0.5) * 1e-7,
]


@pytest.mark.parametrize("function", STEEP)
def test_too_steep_for_any_step(function: Build) -> None:
    """Differences see a slope of the whole where the gradient is that of the point."""
    report = og.check_gradients(graph_of(function), "y", "x", {"x": np.zeros(4, "f")})
    assert [c.passed for c in report.comparisons if c.of == "gradient"] == [None]


def test_beside_a_kink_all_is_decided() -> None:
    (found,) = by_differences(graph_of(BENT[0][0]), {"x": np.array([0.1, -0.1, 1, -1], np.float32)})
    assert found.passed


ZERO: list[Build] = [
    lambda b, x: b.op.Softmax(x),
    lambda b, x: x - b.op.ReduceMean(x),
    lambda b, x: b.op.Cos(x) * b.op.Cos(x) + b.op.Sin(x) * b.op.Sin(x),
    lambda b, x: b.op.LayerNormalization(x * 100, np.ones(4, np.float32)),
    lambda b, x: b.op.Floor(x),
    lambda b, x: b.op.ConstantOfShape(b.op.Shape(x)),
    lambda b, x: x * 0.0,
    lambda b, x: b.op.Exp(x - x) * 1e4,
]


@pytest.mark.parametrize("function", ZERO)
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_a_true_gradient_of_zero(function: Build, scale: float) -> None:
    """As small as the rounding of its terms, in float64 as in float32."""
    x = np.random.default_rng(1).standard_normal(4).astype("f") * np.float32(scale)
    assert [c.passed for c in by_differences(graph_of(function), {"x": x}, "x")] == [True]


def test_a_gradient_that_is_zero_here_is_told() -> None:
    """Of x the gradient is w = 0 wherever x is; that of w is not."""
    b = og.Builder("product")
    x, w = b.input("x", "float32", (3,)), b.parameter("w", np.zeros(3, np.float32))
    b.output(b.op.ReduceSum(x * w, keepdims=0), "loss")
    report = og.check_gradients(b.build(), "loss", ["x", "w"])
    assert report and any(n.startswith("all 0") and n.endswith(": x") for n in report.notes)


def test_a_bias_before_a_normalization() -> None:
    """Its gradient is a sum over the batch that cancels."""

    def function(b: og.Builder, x: og.Tensor) -> og.Tensor:
        w = np.random.default_rng(0).standard_normal((3, 2, 3, 3)).astype("f")
        c = b.op.Conv(x, b.parameter("w", w), b.parameter("bias", np.zeros(3, np.float32)))
        one, zero = np.ones(3, np.float32), np.zeros(3, np.float32)
        y, _, _ = b.op.BatchNormalization(c, one, zero, zero, one, training_mode=1)
        return y * y * y

    found = by_differences(graph_of(function, 2, 2, 6, 6), wrt=["x", "w", "bias"])
    assert [c.passed for c in found] == [True] * 3
    assert "rounding" in found[2].note


@pytest.mark.parametrize("function", [lambda b, x: b.op.Relu(x) * b.op.Relu(x), lambda b, x: x**3])
def test_a_slope_that_vanishes_with_the_step(function: Build) -> None:
    assert [c.passed for c in by_differences(graph_of(function), {"x": np.zeros(4, "f")})] == [True]


def test_a_small_slope_of_a_large_number() -> None:
    graph = graph_of(lambda b, x: x * x + 1e8)
    assert [c.passed for c in by_differences(graph)] == [True]


def scaled(scale: Any, axis: int) -> og.Graph:
    def function(b: og.Builder, x: og.Tensor) -> og.Tensor:
        q = b.input("q", "int8", (2, 3))
        return b.op.Tanh(b.op.DequantizeLinear(q, b.parameter("s", scale), axis=axis)) * x

    return graph_of(function, 2, 3)


@pytest.mark.parametrize(
    ("scale", "axis"),
    [(np.float32(0.1), 1), (np.array([0.1, 0.2, 0.3], np.float32), 1), (np.ones(2, "f"), 0)],
)
def test_the_scale_of_dequantization(scale: Any, axis: int) -> None:
    assert [c.passed for c in by_differences(scaled(scale, axis), wrt=["x", "s"])] == [True, True]


def test_what_knows_no_float64_is_named() -> None:
    graph = graph_of(lambda b, x: b.op.DynamicQuantizeLinear(x)[1] * 3.0)
    (found,) = by_differences(graph)
    assert found.passed is None
    report = og.check_gradients(graph, "y", "x")
    assert any("DynamicQuantizeLinear" in note and "float64" in note for note in report.notes)


@pytest.mark.parametrize(
    ("op_type", "graph", "wrt"),
    [
        ("Softmax", graph_of(lambda b, x: b.op.Softmax(x)), "x"),
        ("DequantizeLinear", scaled(np.array([0.1, 0.2], np.float32), 0), "s"),
        ("Relu", graph_of(lambda b, x: b.op.Relu(x) * x), "x"),
    ],
)
def test_wrong_gradients_are_found_all_the_same(
    op_type: str, graph: og.Graph, wrt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = RULES["", op_type]

    def rule(op: Any, node: og.Node, *dys: og.Value) -> Any:
        entries = right.function(op, node, *dys)
        listed = list(entries) if isinstance(entries, tuple | list) else [entries]
        return [op.Add(op.Mul(e, 1.001), 1e-5) if isinstance(e, og.Value) else e for e in listed]

    monkeypatch.setitem(RULES, ("", op_type), replace(right, function=rule))
    report = og.check_gradients(graph, "y", wrt)
    assert not report and "differs" in str(report)


UNEVEN: list[Build] = [
    lambda b, x: b.op.Log(x),
    lambda b, x: b.op.Sqrt(x),
    lambda b, x: x * b.op.Log(x),
    lambda b, x: b.op.Pow(x, 1.5),
    lambda b, x: b.op.Reciprocal(b.op.Sqrt(x)),
]


@pytest.mark.parametrize("function", UNEVEN)
def test_elements_of_many_magnitudes(function: Build) -> None:
    """A step that suits the largest carries the others out of the domain."""
    at = np.array([1e-7, 1e-3, 1, 200], np.float32)
    (found,) = by_differences(graph_of(function), {"x": at})
    assert found.passed


@pytest.mark.parametrize("function", [UNEVEN[0], lambda b, x: b.op.Log(x + 1e3)])
def test_small_elements_are_not_lost_among_large_ones(
    function: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = RULES["", "Log"]

    def rule(op: Any, node: og.Node, dy: og.Value) -> Any:
        x = node.first_input
        small = op.Cast(op.Less(x, 1000.5), to=x.dtype)
        return op.Mul(op.Div(dy, x), op.Add(op.Mul(small, 1e-3), 1.0))

    monkeypatch.setitem(RULES, ("", "Log"), replace(right, function=rule))
    at = np.array([1e-2, 1e-1, 1, 200], np.float32)
    assert not og.check_gradients(graph_of(function), "y", "x", {"x": at})


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_rounds_like_its_halves(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    b = og.Builder()
    w = b.parameter("w", np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32))
    b.output(b.op.ReduceSum(b.op.Tanh(b.input("x", "float32", (5, 9)) @ w), keepdims=0), "y")
    graph = og.mixed_precision(b.build(), dtype)
    by_differences(graph)
    right = RULES["", "Tanh"]
    monkeypatch.setitem(
        RULES,
        ("", "Tanh"),
        replace(right, function=lambda op, node, dy: op.Mul(right.function(op, node, dy), 1.001)),
    )
    assert not og.check_gradients(graph, "y", "x")


@pytest.mark.parametrize("sample", SAMPLES[::20], ids=str)
def test_samples_of_operators(sample: Sample) -> None:
    graph = sample_graph(sample, dtype=np.dtype(np.float32))
    feeds, of = feeds_of(graph, sample), float_outputs(graph)
    report = og.check_gradients(graph, of, wrt_of(sample), feeds, "numpy")
    assert report and not report.undecided, str(report)
