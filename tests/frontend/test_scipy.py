"""Graphs as objectives of scipy.optimize, against SciPy's own."""

from typing import Any

import numpy as np
import pytest
from scipy import optimize

import onnxgrad as og


def rosenbrock(dtype: str = "float64") -> og.Graph:
    b = og.Builder()
    x, a = b.input("x", dtype, ("n",)), b.input("a", dtype, ())
    steps = a * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1.0 - x[:-1]) ** 2.0
    b.output(b.op.ReduceSum(steps, keepdims=0), "f")
    return b.build()


def test_it_is_the_function_that_scipy_has() -> None:
    o = og.scipy.objective(rosenbrock(), "f", "x", {"a": 100.0})
    x, p = np.random.default_rng(0).normal(size=(2, 6))
    np.testing.assert_allclose(o.fun(x), optimize.rosen(x))
    np.testing.assert_allclose(o.jac(x), optimize.rosen_der(x))
    np.testing.assert_allclose(o.hessp(x, p), optimize.rosen_hess_prod(x, p))


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "Newton-CG", "trust-ncg"])
def test_minimizers_go_the_same_way(method: str) -> None:
    o = og.scipy.objective(rosenbrock(), "f", "x", {"x": np.zeros(4), "a": 100.0})
    second = method in ("Newton-CG", "trust-ncg")
    theirs: list[Any] = [optimize.rosen, optimize.rosen_der, optimize.rosen_hess_prod]
    found, expected = (
        optimize.minimize(fun, o.x0, jac=jac, hessp=hessp if second else None, method=method)
        for fun, jac, hessp in ([o.fun, o.jac, o.hessp], theirs)
    )
    assert found.success
    np.testing.assert_allclose(found.x, expected.x, atol=1e-6)


def test_half_of_the_digits_are_those_of_float32() -> None:
    o = og.scipy.objective(rosenbrock("float32"), "f", "x", {"a": np.float32(100)})
    x = np.random.default_rng(0).normal(size=6)
    np.testing.assert_allclose(o.jac(x), optimize.rosen_der(x), rtol=1e-4)
    assert o.jac(x).dtype == np.float64


def test_feeds_may_hold_what_the_scalar_does_not_read() -> None:
    b = og.Builder()
    x, label = b.input("x", "float64", (2,)), b.input("label", "int64", ())
    b.output(b.op.ReduceSumSquare(x, keepdims=0), "f")
    b.output(b.op.Gather(x, label), "picked")
    for feeds in ({"x": [1.0, 2.0]}, {"x": [1.0, 2.0], "label": 0}):
        o = og.scipy.objective(b.build(), "f", "x", feeds)
        np.testing.assert_array_equal(o.jac(o.x0), [2.0, 4.0])


def test_several_values_are_one_vector() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 2))
    b = og.Builder()
    w, c = b.parameter("w", np.zeros((3, 2))), b.parameter("c", np.zeros(2))
    error = b.input("x", "float64", ("N", 3)) @ w + c - b.input("y", "float64", ("N", 2))
    b.output(b.op.ReduceSumSquare(error, keepdims=0), "loss")
    o = og.scipy.objective(b.build(), "loss", ["c", "w"], {"x": x, "y": y}, backend="onnxruntime")
    assert o.x0.tolist() == [0.0] * 8
    found = o.unpack(optimize.minimize(o.fun, o.x0, jac=o.jac).x)
    columns = np.linalg.lstsq(np.column_stack([np.ones(20), x]), y, rcond=None)[0]
    np.testing.assert_allclose(found["c"], columns[0], atol=1e-5)
    np.testing.assert_allclose(found["w"], columns[1:], atol=1e-5)


def test_what_is_missing_is_named() -> None:
    g = rosenbrock()
    with pytest.raises(og.GraphError, match="feeds lacks a, which `wrt` does not name"):
        og.scipy.objective(g, "f", "x")
    with pytest.raises(og.GraphError, match="there is no input 'b'"):
        og.scipy.objective(g, "f", "x", {"a": 1.0, "b": 1.0})
    with pytest.raises(og.GraphError, match="'x' is float64.n.: give an array of its size"):
        og.scipy.objective(g, "f", ["x", "a"])
    with pytest.raises(og.GraphError, match="feeds has no start for x"):
        og.scipy.objective(g, "f", "x", {"a": 1.0}).x0  # noqa: B018  # reading it is the test
    with pytest.raises(og.GradientError, match="not a scalar"):
        og.scipy.objective(g, "x", "x", {"a": 1.0})
    o = og.scipy.objective(g, "f", ["x", "a"], {"x": np.zeros(3), "a": 1.0})
    with pytest.raises(og.GraphError, match=r"a vector of 4 numbers is wanted, got the shape \(5,"):
        o.fun(np.zeros(5))


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({"x": np.zeros((2, 3)), "a": 1.0}, r"'x' wants float64\[n\], got the shape \(2, 3\)"),
        ({"x": np.zeros(3), "a": [1.0, 2.0]}, r"'a' wants float64\[\], got the shape \(2,\)"),
        ({"x": np.zeros(3), "a": np.float32(1)}, "'a' wants .* got float32; convert it"),
        ({"x": ["one", "two"], "a": 1.0}, "string|text"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_runs(
    feeds: dict[str, Any], message: str
) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.scipy.objective(rosenbrock(), "f", "x", feeds)


def test_a_start_may_be_float64_whatever_its_input() -> None:
    given = {"x": np.zeros(4), "a": np.float32(100)}
    o = og.scipy.objective(rosenbrock("float32"), "f", "x", given)
    assert o.fun(o.x0) == optimize.rosen(np.zeros(4))
    assert repr(o) == "Objective('f' by 'x': float32[n], on numpy)"


def test_zeros_where_they_are_asked_for() -> None:
    b = og.Builder()
    x, a = b.input("x", "float64", (2,)), b.input("a", "float64", (2,))
    b.output(b.op.ReduceSum(x * x, keepdims=0), "y")
    b.output(a + 1.0, "z")
    start = {"x": np.array([1.0, 2.0]), "a": np.zeros(2)}
    with pytest.raises(og.GradientError, match="allow_unused=True gives zeros"):
        og.scipy.objective(b.build(), "y", ["x", "a"], start)
    found = og.scipy.objective(b.build(), "y", ["x", "a"], start, allow_unused=True)
    np.testing.assert_array_equal(found.jac(found.x0), [2, 4, 0, 0])
    np.testing.assert_array_equal(found.hessp(found.x0, np.arange(4.0)), [0, 2, 0, 0])


@pytest.mark.parametrize("x", [[[1.0], [1.0, 2.0]], ["a", "b"], [1j, 2j], None])
def test_what_is_no_vector_of_numbers_is_refused(x: Any) -> None:
    b = og.Builder()
    b.output(b.op.ReduceSum(b.input("x", "float64", (2,)), keepdims=0), "y")
    found = og.scipy.objective(b.build(), "y", "x", {"x": np.zeros(2)})
    for call in (found.fun, found.jac, lambda p: found.hessp(found.x0, p)):
        with pytest.raises(og.GraphError, match="a vector of|cannot be a tensor"):
            call(x)
