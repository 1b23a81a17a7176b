"""What gradients are where derivatives do not exist or numbers are not finite: the conventions."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og

INF, NAN = np.inf, np.nan


def gradients(op_type: str, *inputs: Any, dy: Any = None, **attributes: Any) -> list[np.ndarray]:
    """Give the gradient by each input, for a cotangent of ones unless `dy` is given."""
    b = og.Builder(op_type)
    arrays = [np.asarray(a, np.float64) for a in inputs]
    values = [b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(arrays)]
    y = getattr(b.op, op_type)(*values, **attributes)
    b.output(y, "y")
    graph = og.vjp(b.build(), "y", [f"x{k}" for k in range(len(arrays))])
    feeds = {f"x{k}": a for k, a in enumerate(arrays)}
    shape = [int(d) for d in graph.find("y").shape or ()]
    feeds["y.grad"] = np.ones(shape) if dy is None else np.asarray(dy, np.float64)
    results = og.compile(graph).run(feeds)
    return [results[f"x{k}.grad"] for k in range(len(arrays))]


@pytest.mark.parametrize(
    ("op_type", "x", "slope"),
    [
        ("Relu", 0, 0),
        ("Abs", 0, 0),
        ("LeakyRelu", 0, 1),  # the standard puts 0 on the right side
        ("ThresholdedRelu", 1, 0),
        ("Elu", 0, 1),
        ("HardSigmoid", 2.5, 0),
        ("HardSwish", 3, 1),
        ("HardSwish", -3, 0),
        ("Shrink", 0.5, 0),
        ("Softsign", 0, 1),
    ],
)
def test_at_kinks_one_side_is_taken(op_type: str, x: float, slope: float) -> None:
    np.testing.assert_array_equal(gradients(op_type, [x])[0], [slope])


def test_ties_share_in_equal_parts() -> None:
    for op_type in ("Max", "Min"):
        for dx in gradients(op_type, [1, 2], [1, 2], [1, 2]):
            np.testing.assert_allclose(dx, [1 / 3, 1 / 3])
    for op_type in ("ReduceMax", "ReduceMin"):
        (dx,) = gradients(op_type, [[3, 3], [3, 3]], keepdims=0)
        np.testing.assert_array_equal(dx, np.full((2, 2), 0.25))


def test_a_bound_of_clip_belongs_to_its_input() -> None:
    dx, low, high = gradients("Clip", [-1, 0, 1], -1, 1)
    np.testing.assert_array_equal(dx, [1, 1, 1])
    np.testing.assert_array_equal([low, high], [0, 0])


def test_clip_with_crossed_bounds_is_its_upper_bound() -> None:
    dx, low, high = gradients("Clip", [-1, 0, 1], 0.5, -0.5)
    np.testing.assert_array_equal(dx, [0, 0, 0])
    np.testing.assert_array_equal([low, high], [0, 3])


def test_norms_of_zeros_have_a_zero_gradient() -> None:
    np.testing.assert_array_equal(gradients("ReduceL1", [0, 0])[0], [0, 0])
    np.testing.assert_array_equal(gradients("ReduceL2", [0, 0])[0], [0, 0])


@pytest.mark.parametrize(
    ("op_type", "attributes"),
    [("ReduceL2", {}), ("GlobalLpPool", {}), ("LpPool", {"kernel_shape": [2]})],
)
def test_norms_of_zeros_have_no_second_derivative(op_type: str, attributes: Any) -> None:
    """Around zeros it grows without bound: it is NaN, though the first is 0 in either mode."""
    b = og.Builder(op_type)
    x = b.input("x", "float64", (1, 1, 2))
    b.output(getattr(b.op, op_type)(x, **attributes), "y")
    graph = og.vjp(b.build(), "y", "x")
    second = og.vjp(graph, "x.grad", "x", names={"x": "second"})
    feeds = {"x": np.zeros((1, 1, 2)), "y.grad": np.ones((1, 1, 1)), "x.grad.grad": [[[1.0, 0]]]}
    assert np.isnan(og.compile(second).run(feeds)["second"]).any()
    ahead = og.compile(og.jvp(b.build(), "y", "x"))
    feeds = {"x": np.zeros((1, 1, 2)), "x.tangent": np.ones((1, 1, 2))}
    np.testing.assert_array_equal(ahead.run(feeds)["y.tangent"], [[[0.0]]])


def test_log_sum_exp_of_nothing_has_a_zero_gradient() -> None:
    np.testing.assert_array_equal(gradients("ReduceLogSumExp", [-INF, -INF])[0], [0, 0])
    np.testing.assert_array_equal(gradients("ReduceLogSumExp", [-INF, 0])[0], [0, 1])


def test_relu_stops_an_infinite_gradient_and_shows_nan() -> None:
    (dx,) = gradients("Relu", [-1, 0, 1, 2, NAN], dy=[INF, INF, INF, NAN, NAN])
    np.testing.assert_array_equal(dx, [0, 0, INF, NAN, NAN])


def test_the_gradient_of_relu_is_at_most_two_nodes() -> None:
    b = og.Builder("relu")
    b.output(b.op.Relu(b.input("x", "float32", ("N", 3))), "y")
    model = og.to_onnx(og.vjp(b.build(), "y", "x"))
    assert [n.op_type for n in model.graph.node] == ["Relu", "LessOrEqual", "Where"]


@pytest.mark.parametrize("op_type", ["Elu", "Selu", "Celu", "Softplus", "Mish", "Sigmoid", "Tanh"])
def test_far_from_zero_slopes_are_flat_not_nan(op_type: str) -> None:
    (dx,) = gradients(op_type, [-1000, 1000])
    right = {"Selu": 1.05070102214813232421875, "Sigmoid": 0, "Tanh": 0}.get(op_type, 1)
    np.testing.assert_allclose(dx, [0, right], atol=1e-12)


def test_powers() -> None:
    x, _ = gradients("Pow", [-2, 0, 0, 0], [2, 2, 1, 0])
    np.testing.assert_array_equal(x, [-4, 0, 1, 0])
    _, e = gradients("Pow", [-2, 0, np.e], [2, 2, 1])
    np.testing.assert_allclose(e, [NAN, 0, np.e])


def test_a_product_with_zeros() -> None:
    np.testing.assert_array_equal(gradients("ReduceProd", [2, 0, 3])[0], [0, 6, 0])
    np.testing.assert_array_equal(gradients("ReduceProd", [0, 0, 3])[0], [0, 0, 0])


def test_both_forms_of_the_gradient_of_relu_agree() -> None:
    b = og.Builder("relu")
    b.output(b.op.Relu(b.input("x", "float32", (5,))), "y")
    graph = og.vjp(b.build(), "y", "x")
    feeds = {
        "x": np.array([-1, -0.0, 0, 1, 2], np.float32),
        "y.grad": np.array([1, 2, 3, 4, 5], np.float32),
    }
    for form in ("default", "guarded", "product"):
        model = og.to_onnx(graph, forms={"ReluGrad": form})
        dx = og.compile(og.load(model)).run(feeds)["x.grad"]
        np.testing.assert_array_equal(dx, [0, 0, 0, 4, 5])
        if form == "product":
            continue
        for backend in ("numpy", "onnxruntime"):
            dy = np.array([np.inf, np.nan, -np.inf, np.inf, 5], np.float32)
            dx = og.compile(og.load(model), backend).run(feeds | {"y.grad": dy})["x.grad"]
            np.testing.assert_array_equal(dx, [0, 0, 0, np.inf, 5])


def test_the_base_and_the_exponent_of_a_power_keep_their_own_dtypes() -> None:
    b = og.Builder("power")
    x, e = b.input("x", "float32", (2,)), b.input("e", "float64", (2,))
    b.output(b.op.Pow(x, e), "y")
    feeds = {"x": np.array([2, 3], "f"), "e": np.array([3.0, 2.0]), "y.grad": np.array([1, 2], "f")}
    results = og.compile(og.vjp(b.build(), "y", ["x", "e"])).run(feeds)
    assert (results["x.grad"].dtype, results["e.grad"].dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(results["x.grad"], [12, 12], rtol=1e-6)
    np.testing.assert_allclose(results["e.grad"], [8 * np.log(2), 18 * np.log(3)], rtol=1e-6)


@pytest.mark.parametrize("through_files", [False, True], ids=["in one go", "through files"])
@pytest.mark.parametrize("operator", ["ReduceProd", "ScatterElements"])
def test_the_third_derivative_of_a_product_at_zeros(operator: str, through_files: bool) -> None:
    """∂³(a·b·c·d)/∂a∂b∂c = d, also where all of a, b and c are 0."""
    b = og.Builder("product")
    x = b.input("x", "float64", (4,))
    if operator == "ReduceProd":
        y = b.op.ReduceProd(x, keepdims=0)
    else:
        place = b.constant(np.zeros(4, np.int64))
        y = b.op.Squeeze(b.op.ScatterElements(np.ones(1), place, x, reduction="mul"))
    b.output(y, "y")

    def written(graph: og.Graph) -> og.Graph:
        return og.load(og.to_onnx(graph)) if through_files else graph

    graph = written(og.grad(b.build(), "y", "x"))
    graph = written(og.vjp(graph, "x.grad", "x", names={"x.grad": "u", "x": "second"}))
    graph = og.vjp(graph, "second", "x", names={"second": "v", "x": "third"})
    feeds = {"x": np.array([0.0, 0.0, 0.0, 5.0]), "u": np.eye(4)[0], "v": np.eye(4)[1]}
    np.testing.assert_array_equal(og.compile(graph).run(feeds)["third"], [0, 0, 5, 0])


@pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax", "Hardmax"])
def test_softmax_over_nothing(operator: str) -> None:
    b = og.Builder("nothing")
    b.output(getattr(b.op, operator)(b.input("x", "float32", ("N", 0))), "y")
    graph = og.vjp(b.build(), "y", "x", allow_unused=True)
    nothing = np.zeros((2, 0), np.float32)
    results = og.compile(graph).run({"x": nothing, "y.grad": nothing})
    assert [a.shape for a in results.values()] == [(2, 0), (2, 0)]
