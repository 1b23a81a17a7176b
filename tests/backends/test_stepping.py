"""Repeated steps feed their state back, the same on every backend."""

import ml_dtypes
import numpy as np
import pytest

import onnxgrad as og


def decay(dtype: str = "float32", symbolic: bool = False) -> og.Graph:
    """w.new = w / 2 + sum(x), n.new = n + 1; and two outputs that are not fed back."""
    b = og.Builder("decay")
    x = b.input("x", dtype, ("N", 3) if symbolic else (2, 3))
    w = b.input("w", dtype, (3,))
    n = b.input("n", "int64", ())
    b.output(x * w, "y")
    b.output(b.op.ReduceSum(w), "total")
    half = b.constant(0.5, dtype=dtype)
    b.output(w * half + b.op.ReduceSum(x, np.array([0]), keepdims=0), "w.new")
    b.output(n + np.int64(1), "n.new")
    return b.build()


BACKENDS = pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])


@BACKENDS
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
def test_steps_are_runs_fed_by_hand(backend: str, symbolic: bool) -> None:
    step = og.compile(decay(symbolic=symbolic), backend).stepper({"w": np.ones(3, "f4"), "n": 5})
    w, rng = np.ones(3), np.random.default_rng(0)
    kept = []
    for k in range(5):
        x = rng.integers(-4, 5, (2 + k % 2 if symbolic else 2, 3)).astype("f4")
        results = step(x=x)
        assert list(results) == ["y", "total"]
        np.testing.assert_array_equal(results["y"], x * w)
        np.testing.assert_array_equal(results["total"], w.sum())
        kept.append((results["y"], x * w))
        w = w / 2 + x.sum(0)
        np.testing.assert_array_equal(step.state()["w"], w)
        assert step.state()["n"] == 6 + k
    for result, expected in kept:  # later steps have not written over earlier results
        np.testing.assert_array_equal(result, expected)


@BACKENDS
def test_first_arrays_stay_as_they_are(backend: str) -> None:
    first = np.ones(3, np.float32)
    step = og.compile(decay(), backend).stepper({"w": first, "n": 0})
    step(x=np.ones((2, 3), np.float32))
    step.state()["w"][:] = 7
    np.testing.assert_array_equal(first, 1)
    np.testing.assert_array_equal(step.state()["w"], 2.5)


def test_a_dtype_without_numpy_buffers_steps_too() -> None:
    x, w = (np.array(n, ml_dtypes.bfloat16) for n in ([1, 2], [3, 4]))
    b = og.Builder("exchange")
    b.output(b.op.Identity(b.input("w", x.dtype, (2,))), "y")
    b.output(b.op.Identity(b.input("x", x.dtype, (2,))), "w.new")
    for backend in ("numpy", "onnxruntime"):
        step = og.compile(b.build(), backend).stepper({"w": w})
        assert step(x=x)["y"].tolist() == [3, 4]
        assert step(x=w)["y"].tolist() == [1, 2]
        assert step.state()["w"].dtype == x.dtype


@BACKENDS
def test_wrong_feeds_are_refused(backend: str) -> None:
    compiled = og.compile(decay(), backend)
    state = {"w": np.ones(3, "f4"), "n": 0}
    with pytest.raises(og.GraphError, match="first value of w is missing"):
        compiled.stepper({"n": 0})
    with pytest.raises(og.GraphError, match="no output 'v.new'"):
        compiled.stepper(state, {"w": "v.new"})
    with pytest.raises(og.GraphError, match="where it goes, is float32"):
        compiled.stepper({"w": state["w"]}, {"w": "n.new"})
    step = compiled.stepper(state)
    x = np.ones((2, 3), np.float32)
    step(x=x)
    with pytest.raises(og.GraphError, match="not an input: z"):
        step(x=x, z=x)
    with pytest.raises(og.GraphError, match="wants float32"):
        step(x=x.astype("f8"))
    with pytest.raises(og.GraphError, match="got the shape"):
        step(x=x[:1])
