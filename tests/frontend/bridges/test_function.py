"""Graphs as functions of arrays by position, without any of the programs that call them."""

import pickle

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.bridges.function import GraphFunction, bind, function_of


def cubes() -> og.Graph:
    b = og.Builder()
    x, k = b.input("x", "float64", ("N",)), b.input("k", "int64", (1,))
    b.output(x * x * x * b.parameter("w", np.array(2.0)), "y")
    b.output(b.op.Add(k, 1), "next")
    return b.build()


def function(graph: og.Graph) -> GraphFunction:
    return function_of(graph, None, "w", "numpy", {})[0]


X, K, W = np.array([1.0, 2.0]), np.array([3]), np.array(2.0)


def test_derivatives_are_functions_of_the_same_kind() -> None:
    f = function(cubes())
    backward = f.vjp((True, False, True), (True, False))
    dx, dw = backward.run([X, K, W, np.array([1.0, 10.0])])
    np.testing.assert_allclose(dx, [6.0, 240.0])
    np.testing.assert_allclose(dw, 1.0 + 80.0)
    (twice,) = backward.vjp((True, False, False, False), (True, False)).run(
        [X, K, W, np.array([1.0, 10.0]), np.ones(2)]
    )
    np.testing.assert_allclose(twice, [12.0, 240.0])  # 6·w·x·dy
    (pushed,) = f.jvp((True, False, False), (True, False)).run([X, K, W, np.array([1.0, 10.0])])
    np.testing.assert_allclose(pushed, [6.0, 240.0])
    ys, nexts = f.vmap((True, False, False)).run([np.array([[1.0], [2.0]]), K, W])
    np.testing.assert_allclose(ys, [[2.0], [16.0]])
    np.testing.assert_array_equal(nexts, [[4], [4]])
    assert f.vmap((True, False, False)) is f.vmap((True, False, False))


def test_it_takes_what_the_outputs_read() -> None:
    f, defaults = function_of(cubes(), "y", "w", "numpy", {})
    assert [v.name for v in f.inputs] == ["x", "w"] and list(defaults) == ["w"]
    f, _ = function_of(cubes(), "next", None, "numpy", {})
    assert [v.name for v in f.inputs] == ["k"]
    assert [v.name for v in function(cubes()).inputs] == ["x", "k", "w"]


def test_a_wrong_backend_is_refused_at_once() -> None:
    with pytest.raises(og.GraphError, match="no backend .nunpy.; there are numpy, numba"):
        function_of(cubes(), None, None, "nunpy", {})
    with pytest.raises(og.GraphError, match="the backend 'numpy' takes no option threads"):
        function_of(cubes(), None, None, "numpy", {"threads": 1})
    function_of(cubes(), None, None, "numpy", {"tune": False})


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_functions_are_pickled(backend: str) -> None:
    f, _ = function_of(cubes(), "y", "w", backend, {})
    mask = (True, False)
    pushed = f.jvp(mask, (True,)).run([X, W, np.ones(2)])
    assert f.run([X, W])[0].tolist() == [2.0, 16.0]
    read = pickle.loads(pickle.dumps(f))
    np.testing.assert_array_equal(read.run([X, W])[0], [2.0, 16.0])
    np.testing.assert_array_equal(read.jvp(mask, (True,)).run([X, W, np.ones(2)]), pushed)
    derived = pickle.loads(pickle.dumps(f.jvp(mask, (True,))))
    np.testing.assert_array_equal(derived.run([X, W, np.ones(2)]), pushed)


def test_outputs_may_be_inputs_or_stand_twice() -> None:
    b = og.Builder()
    x = b.input("x", "float64", (2,))
    b.output(x, "same")
    graph = b.build()
    graph.outputs = [*graph.outputs, graph.inputs[0]]
    f, _ = function_of(graph, ["same", "x"], None, "numpy", {})
    assert [r.tolist() for r in f.run([X])] == [[1.0, 2.0], [1.0, 2.0]]
    (dx,) = f.vjp((True,), (True, True)).run([X, np.ones(2), np.full(2, 3.0)])
    np.testing.assert_array_equal(dx, [4.0, 4.0])


def test_the_arrays_of_parameters_are_defaults_and_no_constants() -> None:
    b = og.Builder()
    x, power = b.input("x", "float64", (2,)), b.parameter("power", np.array(2.0))
    b.output(x**power, "y")
    f, defaults = function_of(b.build(), None, "power", "numpy", {})
    assert defaults == {"power": np.array(2.0)}
    found = f.vjp((True, True), (True,)).run([X, np.array(3.0), np.ones(2)])
    np.testing.assert_allclose(found[0], 3 * X**2)
    np.testing.assert_allclose(found[1], (X**3 * np.log(X)).sum())


def test_shapes_of_results_follow_from_those_of_inputs() -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("N", "M"))
    b.output(b.op.Concat(x, x, axis=0), "y")
    b.output(b.op.Reshape(x, [-1]), "flat")
    b.output(b.op.NonZero(x), "places")
    graph = b.build()
    f, _ = function_of(graph, ["y", "flat"], None, "numpy", {})
    assert [t.shape for t in f.result_types([(2, 3)])] == [(4, 3), (6,)]
    with pytest.raises(og.GraphError, match=r"'x' wants float32\[N, M\], got the shape \(2,\)"):
        f.result_types([(2,)])
    f, _ = function_of(graph, "places", None, "numpy", {})
    with pytest.raises(og.GraphError, match="the shape of 'places' is known only once the graph"):
        f.result_types([(2, 3)])


@pytest.mark.parametrize(
    ("arrays", "by_name", "message"),
    [
        ((X, K, W, W), {}, "4 arrays are too many"),
        ((X,), {}, "'k' is missing"),
        ((X,), {"x": X, "k": K}, "'x' is given twice"),
        ((X, K), {"z": K}, "'z' is not an input"),
    ],
)
def test_wrong_calls_say_what_the_function_takes(
    arrays: tuple[np.ndarray, ...], by_name: dict[str, np.ndarray], message: str
) -> None:
    f = function(cubes())
    with pytest.raises(og.GraphError, match=f"{message}.*takes x: float64"):
        bind(f.inputs, {"w": W}, arrays, by_name)


def test_what_is_no_tensor_does_not_cross() -> None:
    b = og.Builder()
    x = b.input("x", "float32", (2,))
    b.output(b.op.SequenceConstruct(x), "list")
    with pytest.raises(og.GraphError, match="'list' is .*only tensors of numbers cross over"):
        function_of(b.build(), None, None, "numpy", {})
    with pytest.raises(og.GraphError, match="parameters: 'x' is an input; name initializers"):
        function_of(cubes(), None, "x", "numpy", {})
