"""Values whose gradient is chosen where they are built."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxgrad as og

X = np.array([0.4, 1.6, -2.3])


def run(graph: og.Graph, **feeds: Any) -> Any:
    return og.compile(graph).run(feeds)


def test_stop_gradient_holds_a_factor() -> None:
    b = og.Builder()
    x = b.input("x", "float64", (3,))
    b.output(b.op.ReduceSum(x * og.stop_gradient(x * x), keepdims=0), "y")
    graph = b.build()
    found = run(og.grad(graph, "y", "x"), x=X)
    np.testing.assert_allclose(found["y"], (X**3).sum())
    np.testing.assert_allclose(found["x.grad"], X**2)
    pushed = run(og.jvp(graph, "y", "x"), x=X, **{"x.tangent": np.ones(3)})
    np.testing.assert_allclose(pushed["y.tangent"], (X**2).sum())
    batch = run(og.vmap(og.grad(graph, "y", "x")), x=X[None])
    np.testing.assert_allclose(batch["x.grad"], [X**2])
    b = og.Builder.extend(og.vmap(graph))
    b.output(b.op.ReduceSum(b.value("y"), keepdims=0), "sum")
    np.testing.assert_allclose(run(og.grad(b.build(), "sum", "x"), x=X[None])["x.grad"], [X**2])


def test_stop_gradient_alone_is_said_to_be_the_reason() -> None:
    b = og.Builder()
    x = b.input("x", "float64", ())
    b.output(og.stop_gradient(x), "y")
    with pytest.raises(og.GradientError, match="does not depend on .*StopGradient"):
        og.grad(b.build(), "y", "x")
    assert [n.op_type for n in og.to_onnx(b.build()).graph.node] == ["Identity"]
    with pytest.raises(og.GraphError, match="takes a tensor of a builder, not ndarray"):
        og.stop_gradient(X)  # type: ignore[arg-type]


@og.custom_gradient
def rounded(op: Any, x: Any) -> Any:
    return op.Round(x), lambda dy: dy


@og.custom_gradient
def polar(op: Any, x: Any, y: Any) -> Any:
    radius = op.Sqrt(x * x + y * y)

    def gradient(dradius: Any, dangle: Any) -> Any:
        dradius = 0.0 * radius if dradius is None else dradius
        dangle = 0.0 * radius if dangle is None else dangle
        return dradius * x / radius, dradius * y / radius + 7.0 * dangle

    return (radius, op.Atan(y / x)), gradient


def test_the_gradient_is_the_chosen_one() -> None:
    b = og.Builder()
    x = b.input("x", "float64", (3,))
    y = rounded(x * 2.0)
    b.output(b.op.ReduceSum(y * y, keepdims=0), "y")
    graph = b.build()
    found = run(og.grad(graph, "y", "x"), x=X)
    np.testing.assert_allclose(found["x.grad"], 4 * np.round(2 * X))
    second = run(og.hvp(graph, "y", "x"), x=X, **{"x.tangent": np.ones(3)})
    np.testing.assert_allclose(second["x.hvp"], np.full(3, 8.0))
    batch = run(og.vmap(og.grad(graph, "y", "x")), x=np.stack([X, X + 1]))
    np.testing.assert_allclose(batch["x.grad"], 4 * np.round(2 * np.stack([X, X + 1])))
    b = og.Builder.extend(og.vmap(graph))
    b.output(b.op.ReduceSum(b.value("y"), keepdims=0), "sum")
    found = run(og.grad(b.build(), "sum", "x"), x=X[None])
    np.testing.assert_allclose(found["x.grad"], [4 * np.round(2 * X)])
    assert "f" not in {n.op_type[:1] for n in og.to_onnx(og.grad(graph, "y", "x")).graph.node}


@pytest.mark.parametrize("of", [["r"], ["a"], ["r", "a"]])
def test_several_values_and_those_without_a_gradient(of: list[str]) -> None:
    b = og.Builder()
    x, y = b.input("x", "float64", ()), b.input("y", "float64", ())
    radius, angle = polar(x, y)
    b.output(radius, "r")
    b.output(angle, "a")
    feeds = {"x": 3.0, "y": 4.0} | {f"{name}.grad": 1.0 for name in of}
    found = run(og.vjp(b.build(), of, ["x", "y"]), **feeds)
    assert found["r"] == 5.0
    np.testing.assert_allclose(found["x.grad"], 0.6 * ("r" in of))
    np.testing.assert_allclose(found["y.grad"], 0.8 * ("r" in of) + 7.0 * ("a" in of))


def test_the_chosen_gradient_outlasts_every_transformation() -> None:
    """A body in its place would have another one: the derivative of Round is 0."""
    b = og.Builder()
    x = b.input("x", "float32", (3,))
    doubled, scale = (2.0 * x) @ np.eye(3, dtype=np.float32), np.float32(0.5)
    y = b.op.DequantizeLinear(b.op.QuantizeLinear(rounded(doubled), scale), scale)
    b.output(b.op.ReduceSum(rounded(doubled) * og.stop_gradient(x) + y, keepdims=0), "y")
    graph = b.build()
    x32 = np.abs(X).astype(np.float32)
    expected = 2 * x32 + 2
    changed = [
        og.straight_through(graph),
        og.optimize(og.straight_through(graph)),
        og.straight_through(og.optimize(graph)),
        og.straight_through(og.mixed_precision(graph)),
        og.straight_through(og.to_inference(graph)),
        og.straight_through(og.keep(graph, "y")),
    ]
    for other in changed:
        found = run(og.grad(other, "y", "x"), x=x32)["x.grad"]
        np.testing.assert_allclose(found, expected, rtol=1e-2)


def test_wrong_functions_are_named() -> None:
    b = og.Builder()
    x = b.input("x", "float64", (3,))

    @og.custom_gradient
    def alone(op: Any, x: Any) -> Any:
        return x

    @og.custom_gradient
    def narrow(op: Any, x: Any) -> Any:
        return op.Round(x), lambda dy: op.ReduceSum(dy, keepdims=0)

    with pytest.raises(og.GraphError, match=r"alone must give \(value, gradient\)"):
        alone(x)
    with pytest.raises(og.GraphError, match="narrow takes tensors of a builder"):
        narrow(X)
    with pytest.raises(og.GraphError, match="custom_gradient is a decorator of functions"):
        og.custom_gradient(3)  # type: ignore[arg-type]
    b.output(narrow(x), "y")
    with pytest.raises(og.GradientError, match=r"narrow.* gave float64\[\] for 'x'"):
        og.vjp(b.build(), "y", "x")


def test_a_gradient_that_gives_nothing_is_refused_and_a_zero_is_not() -> None:
    @og.custom_gradient
    def forgetful(op: Any, x: Any) -> Any:
        def gradient(dy: Any) -> None:
            2.0 * dy

        return x * x, gradient

    @og.custom_gradient
    def flat(op: Any, x: Any) -> Any:
        return x * x, lambda dy: (None,)

    b = og.Builder()
    x = b.input("x", "float64", (3,))
    b.output(forgetful(x), "forgotten")
    b.output(flat(x) + x, "y")
    graph = b.build()
    with pytest.raises(og.GradientError, match=r"forgetful.* returned nothing; .* \(None,\)"):
        og.vjp(graph, "forgotten", "x")
    found = run(og.vjp(graph, "y", "x"), x=X, **{"y.grad": X})
    np.testing.assert_array_equal(found["x.grad"], X)


@pytest.mark.parametrize("functions", [False, True])
def test_a_file_tells_where_no_gradient_flows(tmp_path: Path, functions: bool) -> None:
    b = og.Builder()
    x = b.input("x", "float64", (3,))
    b.output(b.op.ReduceSum(og.stop_gradient(x * x) * x, keepdims=0), "y")
    og.save(b.build(), tmp_path / "held.onnx", functions=functions)
    loaded = og.load(tmp_path / "held.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "held.onnx"), full_check=True)
    np.testing.assert_allclose(run(og.grad(loaded, "y", "x"), x=X)["x.grad"], X * X)
    og.save(loaded, tmp_path / "again.onnx")
    again = og.load(tmp_path / "again.onnx")
    np.testing.assert_allclose(run(og.grad(again, "y", "x"), x=X)["x.grad"], X * X)


@pytest.mark.parametrize("functions", [False, True])
def test_a_file_refuses_a_gradient_that_it_does_not_hold(tmp_path: Path, functions: bool) -> None:
    """By the body the derivative would be that of Round, 0."""
    b = og.Builder()
    x = b.input("x", "float64", (3,))
    b.output(b.op.ReduceSum(rounded(x) * x, keepdims=0), "y")
    graph = b.build()
    og.save(graph, tmp_path / "value.onnx", functions=functions)
    loaded = og.load(tmp_path / "value.onnx")
    np.testing.assert_array_equal(run(loaded, x=X)["y"], run(graph, x=X)["y"])
    for derive in (og.grad, og.jvp):
        with pytest.raises(og.GradientError, match="ChosenGradient.*differentiate where"):
            derive(loaded, "y", "x")
    og.save(og.grad(graph, "y", "x"), tmp_path / "gradient.onnx", functions=functions)
    found = run(og.load(tmp_path / "gradient.onnx"), x=X)
    np.testing.assert_allclose(found["x.grad"], np.round(X) + X)


def test_the_body_of_an_operator_may_hold_a_gradient() -> None:
    row = "acme.Held(x: T) -> y: T where T: floats"
    held = og.register_operator(row, lambda op, x: og.stop_gradient(x) * x)
    b = og.Builder()
    b.output(held(b.input("x", "float64", (3,))), "y")
    for backend in ("numpy", "onnxruntime"):
        np.testing.assert_allclose(og.compile(b.build(), backend)(x=X)["y"], X * X)
