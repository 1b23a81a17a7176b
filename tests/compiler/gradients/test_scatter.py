"""Writes by index where two updates go to one place, against differences of what runs."""

import numpy as np
import pytest

import onnxgrad as og

BACKENDS = ["numpy", "onnxruntime"]


def elements(b: og.Builder, x: og.Tensor, at: og.Tensor, u: og.Tensor) -> og.Tensor:
    return b.op.ScatterElements(x, at, u)


def tuples(b: og.Builder, x: og.Tensor, at: og.Tensor, u: og.Tensor) -> og.Tensor:
    return b.op.ScatterND(x, b.op.Unsqueeze(at, [1]), u)


def circular(b: og.Builder, x: og.Tensor, at: og.Tensor, u: og.Tensor) -> og.Tensor:
    """Three slices into a cache of two: the third goes where the first went."""
    cache, update = (b.op.Reshape(v, [1, -1, 1]) for v in (x, u))
    return b.op.Reshape(b.op.TensorScatter(cache, update, mode="circular"), [-1])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fed", [False, True], ids=["known", "fed"])
@pytest.mark.parametrize("write", [elements, tuples, circular])
def test_only_what_stays_has_a_gradient(write: object, fed: bool, backend: str) -> None:
    b = og.Builder()
    x, u = b.input("x", "float64", (2,)), b.input("u", "float64", (3,))
    indices = np.array([0, -1, 0])
    at = b.input("at", "int64", (3,)) if fed else b.constant(indices)
    y = write(b, x, at, u)  # type: ignore[operator]
    b.output(b.op.ReduceSum(y * np.array([1.0, 10.0]), keepdims=0), "s")
    graph = b.build()
    names = {v.name for v in graph.inputs}
    given = {"x": np.zeros(2), "u": np.array([1.0, 2.0, 3.0]), "at": indices}
    feeds = {k: v for k, v in given.items() if k in names}
    compiled = og.compile(og.grad(graph, "s", ["x", "u"]), backend)
    found = compiled.run(feeds)
    base = found["s"]
    for name in ("x", "u"):
        slopes = []
        for k in range(len(given[name])):
            moved = given[name].copy()
            moved[k] += 1
            slopes.append(compiled.run(feeds | {name: moved})["s"] - base)
        np.testing.assert_allclose(found[f"{name}.grad"], slopes)
    np.testing.assert_array_equal(found["u.grad"], [0, 10, 1])


def test_distinct_indices_cost_nothing() -> None:
    b = og.Builder()
    x, u = b.input("x", "float32", (4,)), b.input("u", "float32", (2,))
    b.output(b.op.ReduceSum(b.op.ScatterElements(x, [2, 0], u), keepdims=0), "s")
    operators = [n.op_type for n in og.grad(b.build(), "s", "u").nodes()]
    assert "Where" not in operators and operators.count("ScatterElements") == 1
