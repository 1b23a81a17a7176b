"""og.optimize: what it removes, what it leaves, and that it comes to an end."""

import numpy as np
import pytest

import onnxgrad as og

X = np.arange(6.0).reshape(2, 3)


def optimized(b: og.Builder) -> tuple[list[str], dict[str, np.ndarray]]:
    graph = og.optimize(b.build())
    return [n.op_type for n in graph.nodes()], og.compile(graph).run({"x": X})


@pytest.mark.parametrize("is_output", [True, False])
def test_two_reshapes_become_one_also_where_the_second_is_an_output(is_output: bool) -> None:
    b = og.Builder()
    y = b.op.Reshape(b.op.Reshape(b.input("x", "float64", (2, 3)), [6]), [3, 2])
    b.output(y if is_output else b.op.Sin(y), "y")
    kinds, outputs = optimized(b)
    assert kinds == ["Reshape"] + ["Sin"] * (not is_output)
    expected = X.reshape(3, 2)
    np.testing.assert_array_equal(outputs["y"], expected if is_output else np.sin(expected))


def test_two_transpositions_become_one_or_none() -> None:
    b = og.Builder()
    x = b.input("x", "float64", (2, 3))
    b.output(b.op.Transpose(b.op.Transpose(x)), "same")
    b.output(b.op.Transpose(b.op.Transpose(b.op.Unsqueeze(x, [0]), perm=[1, 0, 2])), "turned")
    kinds, outputs = optimized(b)
    assert kinds.count("Transpose") == 2 + 1
    np.testing.assert_array_equal(outputs["same"], X)
    np.testing.assert_array_equal(outputs["turned"], X[None].transpose(1, 0, 2).T)


def test_neutral_elements_go_and_broadcasts_stay() -> None:
    b = og.Builder()
    x = b.input("x", "float64", (2, 3))
    one, zeros = b.constant(np.array(1.0)), b.constant(np.zeros((4, 1, 1)))
    b.output(b.op.Sin((x * one - 0) / one), "y")
    b.output(b.op.Sin(x + zeros), "spread")
    kinds, outputs = optimized(b)
    assert sorted(kinds) == ["Add", "Sin", "Sin"]
    np.testing.assert_array_equal(outputs["y"], np.sin(X))
    np.testing.assert_array_equal(outputs["spread"], np.broadcast_to(np.sin(X), (4, 2, 3)))


def test_only_a_zero_that_keeps_the_sign_of_zeros_goes() -> None:
    """(−0) + (+0) is +0, so 1/(x + 0) is ∞ where 1/x is −∞; x − 0 and x + (−0) are x."""
    b = og.Builder()
    x = b.input("x", "float64", (2, 3))
    for name, y in {"plus": x + 0.0, "less": x - 0.0, "more": x + -0.0, "minus": x - -0.0}.items():
        b.output(b.op.Reciprocal(y), name)
    graph = og.optimize(b.build())
    assert sorted(n.op_type for n in graph.nodes()).count("Add") == 1
    found = og.compile(graph).run({"x": np.full((2, 3), -0.0)})
    assert {name: float(y[0, 0]) for name, y in found.items()} == {
        "plus": np.inf, "less": -np.inf, "more": -np.inf, "minus": np.inf
    }  # fmt: skip
