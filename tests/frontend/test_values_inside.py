"""Derivatives by a value inside the graph, together with what it is computed from.

y = tanh(x), L = Σ y³. Moving y by e: L(x, e) = Σ (tanh(x) + e)³, so with t = tanh(x), s = 1 − t²
L_xx = 6t·s² − 6t³·s, L_xy = L_yx = 6t·s, L_yy = 6t: the rule of Tanh reads y, but tanh′ does not
move with e.
"""

import numpy as np
import pytest

import onnxgrad as og

X = np.array([0.3, -0.5, 0.8])
T = np.tanh(X)
S = 1 - T * T
SECOND = {
    ("x", "x"): 6 * T * S * S - 6 * T**3 * S,
    ("x", "y"): 6 * T * S,
    ("y", "x"): 6 * T * S,
    ("y", "y"): 6 * T,
}


@pytest.fixture
def graph() -> og.Graph:
    b = og.Builder()
    y = b.op.Tanh(b.input("x", "float64", (3,)))
    b.output(b.op.ReduceSum(y * y * y, keepdims=0), "L")
    b.output(y, "y")
    return b.build()


def test_the_hessian_is_symmetric(graph: og.Graph) -> None:
    outputs = og.compile(og.hessian(graph, "L", ["x", "y"]))(x=X)
    for (p, q), expected in SECOND.items():
        np.testing.assert_allclose(outputs[f"L.hessian.{p}.{q}"], np.diag(expected), rtol=1e-12)


def test_hessian_vector_products(graph: og.Graph) -> None:
    u, v = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.7, -1.0])
    feeds = {"x": X, "x.tangent": u, "y.tangent": v}
    outputs = og.compile(og.hvp(graph, "L", ["x", "y"])).run(feeds)
    for p in "xy":
        expected = SECOND[p, "x"] * u + SECOND[p, "y"] * v
        np.testing.assert_allclose(outputs[f"{p}.hvp"], expected, rtol=1e-12)


@pytest.mark.parametrize("of", ["x", "y"])
def test_a_jacobian_of_gradients_is_the_hessian(graph: og.Graph, of: str) -> None:
    gradients = og.grad(graph, "L", ["x", "y"])
    outputs = og.compile(og.jacobian(gradients, f"{of}.grad", ["x", "y"]))(x=X)
    for q in "xy":
        expected = np.diag(SECOND[of, q])
        np.testing.assert_allclose(outputs[f"{of}.grad.jacobian.{q}"], expected, rtol=1e-12)


def test_a_value_in_of_and_in_wrt(graph: og.Graph) -> None:
    """With y, moved from outside too, among the outputs: dy/dy = 1."""
    vjp = og.vjp(graph, ["L", "y"], ["x", "y"], names={"L": "dL", "y": "gy", "x": "gx"})
    outputs = og.compile(vjp).run({"x": X, "dL": np.array(2.0), "y.grad": np.ones(3)})
    by_y = 2 * 3 * T * T + 1
    np.testing.assert_allclose(outputs["gy"], by_y, rtol=1e-12)
    np.testing.assert_allclose(outputs["gx"], by_y * S, rtol=1e-12)
