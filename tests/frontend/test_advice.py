"""What cuts a gradient off is named, and what rounds on its way is told."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest

import onnxgrad as og

SCALE, ZERO = np.float32(0.5), np.int8(0)


def quantized(b: og.Builder, x: og.Tensor) -> og.Tensor:
    q = b.op.QuantizeLinear(x, SCALE, ZERO, name="round")
    return b.op.DequantizeLinear(q, SCALE, ZERO)


def dynamically(b: og.Builder, x: og.Tensor) -> og.Tensor:
    return b.op.DequantizeLinear(*b.op.DynamicQuantizeLinear(x, name="round"))


def graph_of(function: Callable[[og.Builder, og.Tensor], og.Tensor]) -> og.Graph:
    b = og.Builder("g")
    x = b.input("x", "float32", (3,))
    y = function(b, x)
    b.output(y, "y")
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    return b.build()


def in_a_loop(b: og.Builder, x: og.Tensor) -> og.Tensor:
    body = b.subgraph(
        lambda i, keep, s: (keep, quantized(b, s) + s), ("int64", ()), ("bool", ()), x
    )
    return b.op.Loop(2, None, x, body=body)


def test_quantization_that_cuts_off_names_the_way_through() -> None:
    graph = graph_of(quantized)
    for transform in (og.grad, og.hvp, og.hessian, og.jvp):
        with pytest.raises(og.GradientError) as caught:
            transform(graph, "loss", "x")
        message = str(caught.value)
        assert "for the gradient of QuantizeLinear 'round' is zero" in message
        assert "og.straight_through(graph)" in message and "allow_unused=True" in message
    with pytest.raises(og.GradientError, match=r"straight_through.*parameters=\[…\]"):
        og.train_step(graph, "loss", og.optim.SGD(0.1), ["x"])


def test_other_steps_are_named_alone() -> None:
    graph = graph_of(lambda b, x: b.op.Floor(x, name="down"))
    with pytest.raises(
        og.GradientError, match="for the gradient of Floor 'down' is zero"
    ) as caught:
        og.grad(graph, "loss", "x")
    assert "straight_through" not in str(caught.value)


def counted(b: og.Builder, x: og.Tensor) -> og.Tensor:
    return b.op.Gather(np.eye(3, dtype=np.float32), b.op.Cast(x, to="int64", name="count"))


def test_rounding_is_no_reason_behind_what_cuts_off_before_it() -> None:
    """To let gradients through it is no help, as long as all of them end before."""
    graph = graph_of(lambda b, x: quantized(b, counted(b, x)) + dynamically(b, b.op.Sign(x)))
    with pytest.raises(og.GradientError, match="Cast 'count'.*Sign.* is zero") as caught:
        og.grad(graph, "loss", "x")
    assert "round" not in str(caught.value) and "straight_through" not in str(caught.value)
    with pytest.raises(og.GradientError, match="Cast 'count'"):
        og.grad(og.straight_through(graph), "loss", "x")


def test_rounding_is_the_reason_where_another_way_ends_as_well() -> None:
    graph = graph_of(lambda b, x: quantized(b, x) + counted(b, x))
    with pytest.raises(og.GradientError, match="'round'.*'count'.*straight_through"):
        og.grad(graph, "loss", "x")
    og.grad(og.straight_through(graph), "loss", "x")


PARTLY: list[Callable[[og.Builder, og.Tensor], og.Tensor]] = [
    dynamically,
    lambda b, x: quantized(b, x) + x,
    in_a_loop,
]


@pytest.mark.parametrize("function", PARTLY)
def test_a_gradient_beside_rounding_warns(
    function: Callable[[og.Builder, og.Tensor], og.Tensor],
) -> None:
    graph = graph_of(function)
    told = "no gradient passes .*'.*which rounds.*og.straight_through"
    with pytest.warns(UserWarning, match=told) as caught:
        og.grad(graph, "loss", "x")
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=told):
        og.jvp(graph, "loss", "x")
    with pytest.warns(UserWarning, match=told):
        og.train_step(graph, "loss", og.optim.SGD(0.1), ["x"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        og.grad(og.straight_through(graph), "loss", "x")


def test_a_gradient_apart_from_rounding_does_not_warn() -> None:
    def function(b: og.Builder, x: og.Tensor) -> og.Tensor:
        b.output(quantized(b, x), "beside")
        _, scale, _ = b.op.DynamicQuantizeLinear(x)
        return x * scale

    og.grad(graph_of(function), "loss", "x")


def by_onnxruntime(b: og.Builder, x: og.Tensor) -> og.Tensor:
    given = {"name": "round", "domain": "com.microsoft"}
    q = b.op.QuantizeLinear(x, SCALE, ZERO, **given)
    return b.op.DequantizeLinear(q, SCALE, ZERO, domain="com.microsoft")


def test_what_onnxruntime_rounds_names_the_way_through() -> None:
    graph = graph_of(by_onnxruntime)
    with pytest.raises(og.GradientError, match=r"QuantizeLinear 'round' is zero; og\.straight_thr"):
        og.grad(graph, "loss", "x")
    assert og.grad(og.straight_through(graph), "loss", "x")


def test_products_that_round_inside_are_told() -> None:
    def product(b: og.Builder, x: og.Tensor) -> og.Tensor:
        w = b.constant(np.ones((3, 2), np.int8))
        rows = b.op.Reshape(x, [1, 3])
        return b.op.DynamicQuantizeMatMul(rows, w, SCALE, name="round", domain="com.microsoft")

    with pytest.warns(UserWarning, match="no gradient passes .*'round/"):
        og.grad(graph_of(product), "loss", "x")


@pytest.mark.parametrize("dtype", [3, 6, 9, 17])
def test_a_cast_to_what_has_no_gradient_is_named(dtype: int) -> None:
    graph = graph_of(lambda b, x: b.op.Cast(b.op.Cast(x, to=dtype, name="away"), to=1))
    with pytest.raises(og.GradientError, match="for the gradient of Cast 'away' is zero"):
        og.grad(graph, "loss", "x")
