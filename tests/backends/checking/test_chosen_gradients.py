"""Of a gradient that is meant to be another than the value's, differences decide nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from registrations import forgotten

import onnxgrad as og

X = np.array([0.4, 1.6, -2.3])


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Let no other test see the operators of these."""
    with forgotten():
        yield


@og.custom_gradient
def clipped(op: Any, x: Any) -> Any:
    return x * x, lambda dy: op.Clip(2.0 * x * dy, -1.0, 1.0)


def held(op: Any, x: Any) -> Any:
    return x * og.stop_gradient(x)


def in_a_body(op: Any, x: Any) -> Any:
    return og.register_operator("held.One(x: T) -> y: T where T: floats", held)(x)


def in_a_body_of_a_body(op: Any, x: Any) -> Any:
    in_a_body(op, x)
    return og.register_operator("held.Two(x: T) -> y: T where T: floats", in_a_body)(x)


def in_a_loop(op: Any, x: Any) -> Any:
    body = x.builder.subgraph(
        lambda i, keep, s: (keep, held(op, s)), ("int64", ()), ("bool", ()), x
    )
    return op.Loop(2, None, x, body=body)


def rounded(op: Any, x: Any) -> Any:
    scale = np.float64(0.25).astype(np.float32)
    return op.DequantizeLinear(op.QuantizeLinear(op.Cast(x, to="float32"), scale), scale)


def shifted(op: Any, x: Any) -> Any:
    """Its gradient is the value's own: what is held cancels."""
    held = og.stop_gradient(op.ReduceMax(x, keepdims=1))
    return op.Log(op.ReduceSum(op.Exp(x - held))) + held


def graph_of(function: Callable[[Any, Any], Any]) -> og.Graph:
    b = og.Builder()
    x, w = b.input("x", "float64", (3,)), b.input("w", "float64", (3,))
    y = b.op.Cast(function(b.op, x), to="float64")
    b.output(b.op.ReduceSum(y * w, keepdims=0), "y")
    return og.straight_through(b.build())


CASES: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "stop": (held, "a stop_gradient"),
    "cancels": (shifted, "a stop_gradient"),
    "custom": (lambda op, x: clipped(x), "a custom_gradient"),
    "both": (lambda op, x: held(op, clipped(x)), "a custom_gradient, a stop_gradient"),
    "straight": (rounded, "a straight-through gradient"),
    "body": (in_a_body, "a stop_gradient"),
    "bodies": (in_a_body_of_a_body, "a stop_gradient"),
    "loop": (in_a_loop, "a stop_gradient"),
    "alone": (lambda op, x: og.stop_gradient(x * x), "a stop_gradient"),
}


@pytest.mark.parametrize(("function", "kind"), CASES.values(), ids=CASES)
def test_a_gradient_that_was_chosen_is_neither_right_nor_wrong(function: Any, kind: str) -> None:
    report = og.check_gradients(graph_of(function), "y", ["x", "w"], {"x": X})
    found = {c.value: c for c in report.comparisons if c.of == "gradient"}
    assert found["x.grad"].passed is None
    assert found["x.grad"].verdict == (
        f"undecided: the graph holds {kind}: differences see the value's own derivative"
    )
    assert found["w.grad"].passed is True, "it does not pass what was chosen"


@pytest.mark.parametrize("at", ["h", "z"])
def test_what_does_not_pass_a_held_value_is_decided(at: str) -> None:
    b = og.Builder()
    x, z = b.input("x", "float64", (3,)), b.input("z", "float64", (3,))
    h = b.op.Tanh(x)
    b.output(h, "h")
    b.output(b.op.ReduceSum(og.stop_gradient(x) * h * z, keepdims=0), "y")
    report = og.check_gradients(b.build(), "y", at)
    assert report and not report.undecided, str(report)


def test_a_gradient_that_is_not_finite_is_still_a_finding() -> None:
    b = og.Builder()
    x = b.input("x", "float64", (3,))
    b.output(og.stop_gradient(b.op.Sqrt(x)) * x, "y")
    report = og.check_gradients(b.build(), "y", "x", {"x": np.array([1.0, -1.0, 2.0])})
    assert not report
    assert "not finite here" in str(report)
