"""What onnxruntime's kernels lack or get wrong gives the standard's result in other operators."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

import onnxgrad as og


def run(op_type: str, *inputs: Any, backend: str = "onnxruntime", **attributes: Any) -> Any:
    b = og.Builder(op_type)
    given = {f"x{k}": array for k, array in enumerate(inputs) if array is not None}
    tensors = [
        None if a is None else b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(inputs)
    ]
    results = getattr(b.op, op_type)(*tensors, **attributes)
    for k, value in enumerate(results if isinstance(results, tuple) else (results,)):
        b.output(value, f"y{k}")
    return tuple(og.compile(b.build(), backend).run(given).values())


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_modulus_of_floats_has_the_sign_of_the_divisor(dtype: Any) -> None:
    x, y = np.meshgrid([-7.5, -3, -0.5, 0, 0.5, 3, 7.5, np.inf], [-np.inf, -3, -0.75, 0.75, 3])
    x, y = x.astype(dtype), y.astype(dtype)
    with np.errstate(invalid="ignore"):
        expected = np.mod(x, y)
    np.testing.assert_array_equal(run("Mod", x, y)[0], expected)


def test_top_of_large_unsigned_numbers() -> None:
    x = np.array([[0, 2**64 - 1, 2**63, 2**63 - 1, 5]], np.uint64)
    values, indices = run("TopK", x, np.array([3]))
    np.testing.assert_array_equal(values, [[2**64 - 1, 2**63, 2**63 - 1]])
    np.testing.assert_array_equal(indices, [[1, 2, 3]])


def test_power_of_minus_one_by_a_large_unsigned_number() -> None:
    x, e = np.array([-1, -1, 2], np.float32), np.array([2**53 - 1, 2**62, 10], np.uint64)
    np.testing.assert_array_equal(run("Pow", x, e)[0], [-1, 1, 1024])


@pytest.mark.parametrize(("op_type", "function"), [("ReduceMax", np.any), ("ReduceMin", np.all)])
@pytest.mark.parametrize("shape", [(2, 0), (2, 3)])
def test_reduction_of_booleans(op_type: str, function: Any, shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape)).reshape(shape) % 2 == 1
    (y,) = run(op_type, x, np.array([1]), keepdims=0)
    np.testing.assert_array_equal(y, function(x, axis=1))


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("scale", [0.6, 0.5, 1.7, 0.2])
def test_corners_are_aligned_by_the_scale_as_given(scale: float, symbolic: bool) -> None:
    x = np.array([[1, 4, 2, 8, 5, 7], [0, 3, -1, 2, -5, 6]], np.float32)
    b = og.Builder("resize")
    given = b.input("x", "float32", ("m", "n") if symbolic else x.shape)
    mode = "align_corners"
    scales = np.array([1, scale], np.float32)
    y = b.op.Resize(given, None, scales, mode="linear", coordinate_transformation_mode=mode)
    b.output(y, "y")
    (y,) = og.compile(b.build(), "onnxruntime").run({"x": x}).values()
    length = 6 * float(np.float32(scale))
    places = np.arange(int(length)) * 5 / (length - 1 if int(length) > 1 else 1)
    expected = [np.interp(places, range(6), row) for row in x]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_integer_convolution_with_a_zero_point_per_channel() -> None:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (2, 3, 9), np.uint8)
    w = random.integers(0, 256, (4, 3, 3), np.uint8)
    zero, zeros = np.array(7, np.uint8), np.array([0, 9, 200, 255], np.uint8)
    (y,) = run("ConvInteger", x, w, zero, zeros, pads=[1, 1])
    padded = np.pad(x.astype(int) - 7, ((0, 0), (0, 0), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=2)
    expected = np.einsum("ncok,mck->nmo", windows, w.astype(int) - zeros[:, None, None])
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("symbolic", [False, True])
def test_transforms_cancel_to_almost_nothing(symbolic: bool) -> None:
    x = np.arange(1000, dtype=np.float32).reshape(1, 1000, 1)
    b = og.Builder("dft")
    given = b.input("x", "float32", ("b", "n", 1) if symbolic else x.shape)
    b.output(b.op.DFT(given, None, np.int64(1)), "y")
    (y,) = og.compile(b.build(), "onnxruntime").run({"x": x}).values()
    expected = np.fft.fft(x[..., 0].astype("f8"))
    np.testing.assert_allclose(y[..., 0] + 1j * y[..., 1], expected, rtol=1e-6)


def test_nodes_of_branches_are_rewritten_too() -> None:
    x = np.array([-7.5, 3], np.float32)
    b = og.Builder("branch")
    given, condition = b.input("x", "float32", (2,)), b.input("c", "bool", ())
    then = b.subgraph(lambda: b.op.Mod(given, 2.0))
    y = b.op.If(condition, then_branch=then, else_branch=b.subgraph(lambda: b.op.Neg(given)))
    b.output(y, "y")
    compiled = og.compile(b.build(), "onnxruntime")
    for flag, expected in ((True, np.mod(x, 2)), (False, -x)):
        (y,) = compiled.run({"x": x, "c": np.array(flag)}).values()
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_clip_of_lstm_bounds_what_its_last_activation_gets(backend: str) -> None:
    b = og.Builder("lstm")
    x = b.input("x", np.float32, (1, 1, 1))
    w, r = (b.constant(np.full((1, 4, 1), v, np.float32)) for v in (2.0, 0.0))
    c = b.constant(np.full((1, 1, 1), 3.0, np.float32))
    y = b.op.LSTM(x, w, r, None, None, None, c, hidden_size=1, clip=0.5, outputs=1)
    b.output(y, "y")
    gate = 1 / (1 + np.exp(-0.5))  # the cell is above 0.5 too: 3·gate and more
    actual = og.compile(b.build(), backend).run({"x": np.ones((1, 1, 1), np.float32)})["y"]
    np.testing.assert_allclose(actual.item(), gate * np.tanh(0.5), rtol=1e-5)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16, np.float64])
@pytest.mark.parametrize("p", [1, 2, 3])
def test_norms_of_channels(p: int, dtype: Any) -> None:
    x = np.linspace(-2, 3, 24).reshape(1, 2, 3, 4).astype(dtype)
    (y,) = run("GlobalLpPool", x, p=p)
    expected = np.linalg.norm(x.astype(np.float64).reshape(1, 2, 12), p, axis=-1)
    assert y.dtype == dtype
    rounded = expected.astype(dtype).astype(np.float64)
    np.testing.assert_allclose(y[..., 0, 0].astype(np.float64), rounded, rtol=1e-15)


@pytest.mark.parametrize("zero", [0, 3])
def test_a_scale_in_bfloat16(zero: int) -> None:
    x, scale = np.array([-128, -1, 0, 77, 127], np.int8), np.array(0.3, ml_dtypes.bfloat16)
    (y,) = run("DequantizeLinear", x, scale, np.array(zero, np.int8))
    assert y.dtype == scale.dtype
    exact = (x.astype(np.float64) - zero) * float(scale)
    np.testing.assert_array_equal(y, exact.astype(scale.dtype))


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("past", [0, 3])
def test_a_single_query_does_not_see_ahead(past: int, backend: str) -> None:
    """Query 0 attends key j where j ≤ 0 + past, so not the last of past + 2 keys."""
    rng = np.random.default_rng(0)
    b = og.Builder("attention")
    sizes = {"q": 1, "k": 2, "v": 2} | ({"past_k": past, "past_v": past} if past else {})
    q, k, v, *kept = (b.input(n, "float32", (1, 1, size, 4)) for n, size in sizes.items())
    cache = [None, *kept] if kept else []
    y = b.op.Attention(q, k, v, *cache, is_causal=1, outputs=3 if past else 1)
    b.output(y[0] if isinstance(y, tuple) else y, "y")
    feeds = {n: rng.normal(size=(1, 1, size, 4)).astype(np.float32) for n, size in sizes.items()}
    keys, values = feeds["k"][0, 0], feeds["v"][0, 0]
    if past:
        keys = np.concatenate([feeds["past_k"][0, 0], keys])
        values = np.concatenate([feeds["past_v"][0, 0], values])
    scores = np.exp(feeds["q"][0, 0] @ keys[: past + 1].T / 2)
    expected = scores / scores.sum() @ values[: past + 1]
    actual = og.compile(b.build(), backend).run(feeds)["y"]
    np.testing.assert_allclose(actual[0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_corners_are_aligned_to_a_length_that_is_not_rounded(mode: str, dtype: Any) -> None:
    """x = i·(L − 1)/(s·L − 1): the second of 0.45·5 = 2.25 samples lies at 4/1.25 = 3.2"""
    x = np.array([[[[1, 2, 4, 7, 11]]]], dtype)
    scales = np.array([1, 1, 1, 0.45], np.float32)
    settings = {"mode": mode, "coordinate_transformation_mode": "align_corners"}
    (y,) = run("Resize", x, None, scales, **settings)
    if mode == "linear":
        np.testing.assert_allclose(y, [[[[1, 7 + 0.2 * 4]]]], rtol=1e-3)
    (expected,) = run("Resize", x, None, scales, backend="numpy", **settings)
    np.testing.assert_allclose(y, expected, rtol={2: 1e-3, 4: 1e-6, 8: 1e-12}[x.itemsize])


@pytest.mark.parametrize(("op_type", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_recurrent_operators_run_in_float64(op_type: str, gates: int) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, 2, 4)), *(rng.normal(size=(1, gates * 5, n)) for n in (4, 5))
    (y, *_) = run(op_type, *inputs, hidden_size=5)
    assert y.dtype == np.float64
    (expected, *_) = run(op_type, *inputs, backend="numpy", hidden_size=5)
    np.testing.assert_allclose(y, expected, rtol=1e-12)


@pytest.mark.parametrize("zero_first", [False, True])
@pytest.mark.parametrize("odd", [1.0, np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_a_mask_hides_is_zero_even_if_it_is_not_finite(
    dtype: Any, odd: float, zero_first: bool
) -> None:
    x = np.random.default_rng(0).normal(size=(64, 128)).astype(dtype)
    mask = x > 0
    x[0, 0], x[1, 1], mask[0, 0], mask[1, 1] = odd, odd, False, True
    b = og.Builder("masked")
    given, kept = b.input("x", dtype, x.shape), b.input("mask", "bool", x.shape)
    zero = np.zeros((), dtype)
    choices = (zero, given) if zero_first else (given, zero)
    b.output(b.op.Where(kept, *choices), "y")
    compiled = og.compile(b.build(), "onnxruntime")
    y = compiled.run({"x": x, "mask": mask ^ zero_first})["y"]
    np.testing.assert_array_equal(y, np.where(mask, x, 0))


@pytest.mark.parametrize("align_corners", [0, 1])
def test_taps_of_a_cubic_are_moved_to_the_border(align_corners: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 2, 4, 3)).astype(np.float32)
    grid = rng.uniform(-1.2, 1.2, (1, 3, 5, 2)).astype(np.float32)
    settings: dict[str, Any] = {"mode": "cubic", "padding_mode": "border"}
    settings["align_corners"] = align_corners
    names = ["x", "grid"]
    node = helper.make_node("GridSample", names, ["y"], **settings)
    ends = [helper.make_tensor_value_info(n, 1, [None] * 4) for n in (*names, "y")]
    model = helper.make_model(helper.make_graph([node], "border", ends[:2], ends[2:]))
    results: Any = ReferenceEvaluator(model).run(None, {"x": x, "grid": grid})
    (y,) = run("GridSample", x, grid, **settings)
    np.testing.assert_allclose(y, results[0], atol=2e-6)
