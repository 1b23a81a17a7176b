"""The onnxruntime backend: what it supports, how values cross, and what it says when it cannot."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ml_dtypes
import numpy as np
import onnxruntime
import pytest

import onnxgrad as og
from onnxgrad.backends import find_backend, onnxruntime_sessions
from onnxgrad.backends.onnxruntime_sessions import OptimizerWarning


def one_node(op_type: str, *inputs: Any, **attributes: Any) -> og.Graph:
    b = og.Builder(op_type)
    tensors = [b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(inputs)]
    b.output(getattr(b.op, op_type)(*tensors, **attributes), "y")
    return b.build()


@pytest.mark.parametrize(
    ("op_type", "dtype", "supported"),
    [
        ("Relu", "f4", True),
        ("Relu", "f8", True),
        ("Erf", "f4", True),
        ("Erf", "f8", False),
        ("Gelu", "f8", False),
        ("Tanh", "f8", True),
    ],
)
def test_support_depends_on_the_dtype(op_type: str, dtype: str, supported: bool) -> None:
    x = np.linspace(-1, 1, 6, dtype=dtype)
    graph = one_node(op_type, x)
    assert find_backend("onnxruntime").supports(graph.nodes()[0]) is supported


def test_a_graph_without_kernels_is_refused_by_operator() -> None:
    x, w = np.ones((1, 2, 5, 5)), np.ones((3, 2, 3, 3))
    with pytest.raises(og.UnsupportedOpError, match=r"Conv\(float64\[1, 2, 5, 5\]") as caught:
        og.compile(one_node("Conv", x, w), "onnxruntime")
    assert caught.value.ops == ("Conv",)


def test_a_function_without_a_kernel_runs_by_its_body() -> None:
    x = np.linspace(-2, 2, 9)  # onnxruntime has no float64 Celu
    graph = one_node("Celu", x, alpha=0.5)
    (actual,) = og.compile(graph, "onnxruntime").run({"x0": x}).values()
    expected = np.maximum(0, x) + np.minimum(0, 0.5 * np.expm1(x / 0.5))
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.int4]
)
def test_dtypes_that_numpy_lacks_cross(dtype: Any) -> None:
    x = np.array([[0, 1, -2], [3, -4, 6]], dtype)
    b = og.Builder("there and back")
    given = b.input("x", dtype, x.shape)
    b.output(b.op.CastLike(b.op.Cast(given, to=1), given), "y")
    (actual,) = og.compile(b.build(), "onnxruntime").run({"x": x}).values()
    assert actual.dtype == x.dtype
    np.testing.assert_array_equal(actual.astype("f4"), x.astype("f4"))


def test_strings_cross_beside_bfloat16() -> None:
    b = og.Builder("both")
    b.output(b.op.Identity(b.input("s", "string", (2,))), "t")
    b.output(b.op.Cast(b.input("x", "bfloat16", (1,)), to=1), "y")
    words = np.array(["a", "ß"], dtype=object)
    results = og.compile(b.build(), "onnxruntime").run(
        {"s": words, "x": np.ones(1, ml_dtypes.bfloat16)}
    )
    np.testing.assert_array_equal(results["t"], words)
    np.testing.assert_array_equal(results["y"], np.ones(1, "f4"))


def test_strings_beside_bfloat16_outputs_are_refused() -> None:
    b = og.Builder("both")
    b.output(b.op.Identity(b.input("s", "string", (2,))), "t")
    b.output(b.op.Identity(b.input("x", "bfloat16", (1,))), "y")
    with pytest.raises(og.UnsupportedOpError, match="cast these outputs"):
        og.compile(b.build(), "onnxruntime")


@pytest.mark.parametrize("opset", [18, 21, 23])
def test_a_pad_of_some_axes_is_written_as_one_of_all(opset: int) -> None:
    """onnxruntime's optimizer takes it for that when it moves a Transpose past it."""
    b = og.Builder()
    x = b.input("x", "float32", (2, 3, 4))
    padded = b.op.Pad(b.op.Transpose(x, perm=[1, 2, 0]), b.input("pads", "int64", (2,)), None, [-1])
    b.output(b.op.Transpose(padded, perm=[2, 0, 1]), "y")
    model = og.to_onnx(b.build(), opset=opset)
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    feeds = {"x": array, "pads": np.array([1, 2])}
    (y,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, feeds)
    np.testing.assert_array_equal(y, np.pad(array, [(1, 2), (0, 0), (0, 0)]))


def test_the_gradient_of_a_mean_over_a_symbolic_size_loads() -> None:
    """The form dy·(1/n) broke in onnxruntime's optimizer where dy is a product by ones."""
    b = og.Builder()
    x = b.input("x", "float64", ("N",))
    mean = b.op.ReduceMean(b.op.Unsqueeze(x, [0]), [1], keepdims=0)
    b.output(b.op.ReduceSum(b.op.Sin(mean), [0], keepdims=0), "loss")
    model = og.to_onnx(og.grad(b.build(), "loss", "x"))
    array = np.array([0.1, 0.5, 0.9])
    session: Any = onnxruntime.InferenceSession(model.SerializeToString())
    _, gradient = session.run(None, {"x": array})
    np.testing.assert_allclose(gradient, np.full(3, np.cos(0.5) / 3))


def spoiled_graph() -> og.Graph:
    """Give a valid graph on which the optimizer of onnxruntime 1.32 fails: (1·cos x) · (1/n)."""
    b = og.Builder("spoiled")
    x = b.input("x", "float64", ("N",))
    mean = b.op.ReduceMean(x, [0])
    count = b.op.Cast(b.op.Size(x), to=np.float64)
    scaled = b.op.Mul(b.constant(np.ones(1)), b.op.Cos(mean))
    b.output(b.op.Neg(b.op.Mul(scaled, b.op.Div(1.0, count))), "y")
    return b.build()


def test_a_graph_that_the_optimizer_spoils_runs_without_it() -> None:
    x = np.array([0.1, 0.5, 0.9])
    with pytest.warns(OptimizerWarning, match="optimizer fails .* more slowly"):
        compiled = og.compile(spoiled_graph(), "onnxruntime")
    for _ in range(2):
        np.testing.assert_allclose(compiled.run({"x": x})["y"], [-np.cos(0.5) / 3])


class Fragile:
    """A session that fails once it runs, as one whose optimizer was wrong does."""

    def __init__(self, session: Any) -> None:
        self.io_binding = session.io_binding

    def run(self, *given: Any) -> Any:
        raise RuntimeError("fused into nonsense")

    run_with_iobinding = run


def counter() -> og.Graph:
    b = og.Builder("counter")
    total = b.input("total", "float32", (2,))
    b.output(total + b.input("x", "float32", (2,)), "total.new")
    return b.build()


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    right = onnxruntime_sessions.open_session

    def open_session(model: Any, weights: Any, settings: Any, optimized: bool = True) -> Any:
        session = right(model, weights, settings, optimized)
        return Fragile(session) if optimized else session

    monkeypatch.setattr(onnxruntime_sessions, "open_session", open_session)


@pytest.mark.usefixtures("fragile")
def test_what_fails_only_when_it_runs_runs_without_optimizer() -> None:
    ones = np.ones(2, np.float32)
    compiled = og.compile(counter(), "onnxruntime")
    with pytest.warns(OptimizerWarning, match="fused into nonsense"):
        np.testing.assert_array_equal(compiled.run({"total": ones, "x": ones})["total.new"], [2, 2])
    np.testing.assert_array_equal(compiled.run({"total": ones, "x": ones})["total.new"], [2, 2])


@pytest.mark.usefixtures("fragile")
@pytest.mark.filterwarnings("ignore::onnxgrad.backends.onnxruntime_sessions.OptimizerWarning")
def test_threads_share_a_session_that_fails_at_first() -> None:
    compiled = og.compile(counter(), "onnxruntime")

    def run(k: int) -> float:
        array = np.full(2, k, np.float32)
        return float(compiled.run({"total": array, "x": array})["total.new"].sum())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(64))) == [4.0 * k for k in range(64)]


@pytest.mark.usefixtures("fragile")
def test_steps_go_on_without_optimizer() -> None:
    ones = np.ones(2, np.float32)
    stepper = og.compile(counter(), "onnxruntime").stepper({"total": ones})
    with pytest.warns(OptimizerWarning):
        stepper(x=ones)
    for _ in range(3):
        stepper(x=ones)
    np.testing.assert_array_equal(stepper.state()["total"], [5, 5])


def test_arrays_that_do_not_fit_are_no_fault_of_the_optimizer() -> None:
    x = np.zeros((2, 3), np.float32)
    b = og.Builder("gather")
    picked = b.op.Gather(b.input("x", "float32", (2, 3)), b.input("i", "int64", ("n",)))
    b.output(picked, "y")
    compiled = og.compile(b.build(), "onnxruntime")
    with pytest.raises(og.GraphError, match="out of data bounds"):
        compiled.run({"x": x, "i": np.array([5])})
    assert compiled.run({"x": x, "i": np.array([1])})["y"].shape == (1, 3)


def test_the_opset_suits_the_operator_that_has_no_other_way() -> None:
    """GlobalLpPool has a kernel before opset 22 only, RMSNormalization from 23 on and a body."""
    b = og.Builder("pool")
    x = b.input("x", "float32", (2, 3, 4))
    norm = b.op.RMSNormalization(b.op.GlobalLpPool(x), b.constant(np.ones(1, np.float32)))
    boxes = b.constant(np.array([[0, 0, 0, 2, 2]], np.float32))
    b.output(norm, "y")
    image = b.input("image", "float32", (1, 1, 4, 4))
    pooled = b.op.MaxRoiPool(image, boxes, pooled_shape=[1, 1])
    b.output(b.op.RMSNormalization(pooled, b.constant(np.ones(1, np.float32))), "z")
    arrays = {"x": np.ones((2, 3, 4), np.float32), "image": np.ones((1, 1, 4, 4), np.float32)}
    for name, array in og.compile(b.build(), "onnxruntime").run(arrays).items():
        np.testing.assert_allclose(array, np.ones_like(array), rtol=1e-4, err_msg=name)


def test_large_weights_run_where_they_lie_in_every_dtype_and_scope() -> None:
    """In the graph, in a branch, in bfloat16, and one that is changed afterwards."""
    rng = np.random.default_rng(0)
    given = rng.normal(size=(200, 100)).astype(np.float32)
    b = og.Builder("weights")
    x, flag = b.input("x", "float32", (3, 200)), b.input("flag", "bool", ())
    w = b.parameter("w", given)
    half = b.parameter("half", rng.normal(size=(200, 200)).astype("bfloat16"))
    inner = rng.normal(size=(200, 100)).astype(np.float32)
    y = b.op.If(
        flag, then_branch=b.subgraph(lambda: x @ inner), else_branch=b.subgraph(lambda: x @ w)
    )
    b.output(y, "y")
    b.output(b.op.Cast(half, to="float32") @ w, "z")
    graph = b.build()
    feeds = {"x": rng.normal(size=(3, 200)).astype(np.float32)}
    compiled = og.compile(graph, "onnxruntime")
    weights = {v.name: v.constant.copy() for v in graph.values() if v.constant is not None}
    given[:] = 0
    for flag_, matrix in ((True, inner), (False, weights["w"])):
        results = compiled.run({**feeds, "flag": np.array(flag_)})
        np.testing.assert_allclose(results["y"], feeds["x"] @ matrix, rtol=1e-4, atol=1e-4)
        z = weights["half"].astype(np.float32) @ weights["w"]
        np.testing.assert_allclose(results["z"], z, rtol=1e-4, atol=1e-4)
