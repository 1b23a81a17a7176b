"""What onnxruntime refuses by an attribute or a rank is saved so that it loads and runs."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator
from written_files import Arrays, run_in_onnxruntime

import onnxgrad as og


def saved_and_run(op_type: str, arrays: list[np.ndarray], **attributes: Any) -> Arrays:
    b = og.Builder("saved")
    inputs = [b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(arrays)]
    found = getattr(b.op, op_type)(*inputs, **attributes)
    for k, y in enumerate(found if isinstance(found, tuple) else [found]):
        b.output(y, f"y{k}")
    feeds: Arrays = {f"x{k}": a for k, a in enumerate(arrays)}
    return run_in_onnxruntime(og.to_onnx(b.build()), feeds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("op_type", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_a_batch_that_comes_first(op_type: str, gates: int, dtype: str) -> None:
    rng = np.random.default_rng(0)
    shapes = (2, 3, 4), (1, gates * 5, 4), (1, gates * 5, 5)
    x, w, r = (rng.normal(size=s).astype(dtype) for s in shapes)
    first = saved_and_run(op_type, [x, w, r], hidden_size=5, layout=1, outputs=2)
    second = saved_and_run(op_type, [x.swapaxes(0, 1), w, r], hidden_size=5, outputs=2)
    assert first["y0"].dtype == dtype
    np.testing.assert_allclose(first["y0"], second["y0"].transpose(2, 0, 1, 3), rtol=1e-5)
    np.testing.assert_allclose(first["y1"], second["y1"].swapaxes(0, 1), rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 5, 2, 1), (1, 5, 2)])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_neighbouring_channels(dtype: str, size: int, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(size=shape).astype(dtype)
    low, high = (size - 1) // 2, size // 2
    sums = [(x[:, max(c - low, 0) : c + high + 1] ** 2).sum(1) for c in range(shape[1])]
    expected = x / (1 + 0.5 / size * np.stack(sums, 1)) ** 0.75
    found = saved_and_run("LRN", [x], size=size, alpha=0.5)["y0"]
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
@pytest.mark.parametrize("op_type", ["ScatterElements", "ScatterND"])
def test_scatters_that_reduce_half_precision(op_type: str, reduction: str) -> None:
    x, u = np.array([1, 2, 3], np.float16), np.array([4, 0.5, 6], np.float16)
    at = np.array([0, 2, 0])
    ufunc = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}[reduction]
    expected = x.astype(np.float32)
    ufunc.at(expected, at, u.astype(np.float32))
    places = at[:, None] if op_type == "ScatterND" else at
    found = saved_and_run(op_type, [x, places, u], reduction=reduction)["y0"]
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_a_clip_bounds_what_the_last_activation_gets(direction: str) -> None:
    """Large weights bring all gates to the clip."""
    clip, ways = 0.1, 2 if direction == "bidirectional" else 1
    x = np.ones((1, 1, 1), np.float32)
    w = np.full((ways, 4, 1), 9, np.float32)
    first = np.full((ways, 1, 1), 2, np.float32)
    arrays = [x, w, np.zeros((ways, 4, 1), np.float32), np.zeros_like(first), first]
    b = og.Builder("clipped")
    x_, w_, r_, h, c = (b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(arrays))
    settings: dict[str, Any] = {"hidden_size": 1, "clip": clip, "direction": direction}
    b.output(b.op.LSTM(x_, w_, r_, None, None, h, c, outputs=3, **settings)[1], "h")
    feeds: Arrays = {f"x{k}": a for k, a in enumerate(arrays)}
    gate = 1 / (1 + np.exp(-clip))
    cell = gate * 2 + gate * np.tanh(clip)
    expected = gate * np.tanh(min(cell, clip))
    found = run_in_onnxruntime(og.to_onnx(b.build()), feeds)["h"]
    np.testing.assert_allclose(found, np.full((ways, 1, 1), expected), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("given", ["float32", "float16", "bool", "int64"])
def test_an_event_is_as_likely_as_it_is_said_to_be(dtype: str, given: Any) -> None:
    """onnxruntime's own gives 1 with probability 1 − p."""
    p = np.full(40_000, 0.2, dtype)
    b = og.Builder("events")
    b.output(b.op.Bernoulli(b.input("p", dtype, p.shape), dtype=given), "y")
    y = run_in_onnxruntime(og.to_onnx(b.build()), {"p": p})["y"]
    assert y.dtype == given
    assert abs(np.mean(y.astype(np.float64)) - 0.2) < 5 * 0.4 / 200


@pytest.mark.parametrize("op_type", ["GroupNormalization", "RMSNormalization"])
@pytest.mark.parametrize("opset", [21, 24])
def test_statistics_in_double(op_type: str, opset: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    b = og.Builder("normalization")
    rows = b.input("x", "float64", x.shape)
    groups: dict[str, Any] = {"num_groups": 2} if op_type == "GroupNormalization" else {}
    rest = [b.constant(np.ones(4)), b.constant(np.zeros(4))] if groups else [b.constant(np.ones(3))]
    b.output(getattr(b.op, op_type)(rows, *rest, **groups), "y")
    if groups:
        wide = x.reshape(2, 2, 6)
        wide = wide - wide.mean(2, keepdims=True)
    else:
        wide = x
    expected = wide / np.sqrt((wide**2).mean(2, keepdims=True) + float(np.float32(1e-5)))
    y = run_in_onnxruntime(og.to_onnx(b.build(), opset), {"x": x})["y"]
    np.testing.assert_allclose(y, expected.reshape(x.shape), rtol=0, atol=1e-14)


def test_places_in_half_precision_are_not_rounded() -> None:
    """A pixel's number is its place: of a plane, bilinear means are the centers of the regions."""
    x = (np.arange(16)[:, None] + np.arange(16)).astype(np.float16)[None, None]
    rois = np.array([[0.3, 1.3, 9.7, 12.1]], np.float16)
    settings: dict[str, Any] = {"output_height": 3, "output_width": 2, "sampling_ratio": 2}
    settings["coordinate_transformation_mode"] = "output_half_pixel"
    b = og.Builder("regions")
    image, places = b.input("x", "float16", x.shape), b.input("rois", "float16", rois.shape)
    b.output(b.op.RoiAlign(image, places, b.constant(np.zeros(1, np.int64)), **settings), "y")
    y = run_in_onnxruntime(og.to_onnx(b.build()), {"x": x, "rois": rois})["y"]
    left, top, right, bottom = rois[0].astype(np.float64)
    across = left + (right - left) * (np.arange(2) + 0.5) / 2
    down = top + (bottom - top) * (np.arange(3) + 0.5) / 3
    expected = (down[:, None] + across)[None, None]
    np.testing.assert_allclose(y, expected.astype(np.float16), rtol=2**-11)


def test_half_precision_is_added_where_it_is_scattered() -> None:
    x, places = np.ones(3, np.float16), np.array([0, 0, 1])
    updates = np.array([2, 3, 4], np.float16)
    found = saved_and_run("ScatterElements", [x, places, updates], reduction="add")["y0"]
    np.testing.assert_array_equal(found, np.array([6, 5, 1], np.float16))


def test_what_is_unpooled_keeps_its_places_in_a_larger_output() -> None:
    """Indices count in the size without output_shape, as the case of ONNX's own suite has it."""
    x = np.array([[[[5, 6], [7, 8]]]], np.float32)
    places = np.array([[[[5, 7], [13, 15]]]])
    b = og.Builder("unpooled")
    given = b.input("x", "float32", x.shape), b.constant(places), b.constant(np.array([1, 1, 5, 5]))
    b.output(b.op.MaxUnpool(*given, kernel_shape=[2, 2], strides=[2, 2]), "y")
    expected = np.zeros((1, 1, 5, 5), np.float32)
    for value, place in zip(x.ravel(), places.ravel(), strict=True):
        expected[0, 0, place // 4, place % 4] = value
    y = run_in_onnxruntime(og.to_onnx(b.build()), {"x": x})["y"]
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("shape", [(6,), (6, 6), (1, 2, 6, 6)])
def test_corners_are_aligned_to_a_length_that_is_not_rounded(
    shape: tuple[int, ...], symbolic: bool
) -> None:
    b = og.Builder("resized")
    x = b.input("x", "float32", tuple("bcnm"[-len(shape) :]) if symbolic else shape)
    scales = np.array([1] * (len(shape) - 1) + [0.6], np.float32)
    settings: dict[str, Any] = {"coordinate_transformation_mode": "align_corners"}
    b.output(b.op.Resize(x, None, scales, mode="linear", **settings), "y")
    feeds: Arrays = {"x": np.broadcast_to(np.arange(6, dtype=np.float32), shape)}
    expected = np.broadcast_to(np.arange(3) * 5 / (6 * 0.6 - 1), (*shape[:-1], 3))
    for y in (
        run_in_onnxruntime(og.to_onnx(b.build()), feeds)["y"],
        og.compile(b.build(), "onnxruntime").run(feeds)["y"],
    ):
        np.testing.assert_allclose(y, expected, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("mode", ["linear", "cubic", "nearest"])
@pytest.mark.parametrize("scales", [(0.6, 0.7), (1.7, 2.3), (1, 1.5)])
def test_a_crop_is_as_long_as_it_is_scaled(scales: tuple[float, ...], mode: str) -> None:
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    roi, given = np.array([0.1, 0.2, 0.9, 0.8], np.float32), np.array(scales, np.float32)
    settings: dict[str, Any] = {"mode": mode}
    settings["coordinate_transformation_mode"] = "tf_crop_and_resize"
    node = helper.make_node("Resize", ["x", "roi", "scales"], ["y"], **settings)
    ends = [helper.make_tensor_value_info(n, 1, None) for n in ("x", "roi", "scales", "y")]
    model = helper.make_model(
        helper.make_graph([node], "crop", ends[:3], ends[3:]),
        opset_imports=[helper.make_opsetid("", 19)],
    )
    feeds = {"x": x, "roi": roi, "scales": given}
    results: Any = ReferenceEvaluator(model).run(None, feeds)
    b = og.Builder("crop")
    image = b.input("x", "float32", x.shape)
    b.output(b.op.Resize(image, roi, given, **settings), "y")
    y = run_in_onnxruntime(og.to_onnx(b.build()), {"x": x})["y"]
    np.testing.assert_allclose(y, results[0], rtol=0, atol=3e-6)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("shape", [(4,), (2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4, 5)])
def test_any_axis_is_resized(shape: tuple[int, ...], mode: str) -> None:
    """Twice along one axis is what onnxruntime itself gives for that axis of a matrix."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32)
    for axis, size in enumerate(shape):
        scales = np.array([2 if k == axis else 1 for k in range(len(shape))], np.float32)
        rows = np.moveaxis(x, axis, -1).reshape(-1, size)
        wide = np.moveaxis(x, axis, -1).shape[:-1] + (2 * size,)
        resized = _resized(rows, np.array([1, 2], np.float32), mode, backend=None)
        expected = np.moveaxis(resized.reshape(wide), -1, axis)
        for backend in ("onnxruntime", None):
            found = _resized(x, scales, mode, backend)
            np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def _resized(x: np.ndarray, scales: np.ndarray, mode: str, backend: str | None) -> np.ndarray:
    b = og.Builder("resized")
    b.output(b.op.Resize(b.input("x", x.dtype, x.shape), None, scales, mode=mode), "y")
    graph, feeds = b.build(), {"x": x}
    if backend is None:
        return run_in_onnxruntime(og.to_onnx(graph), feeds)["y"]
    result: np.ndarray = og.compile(graph, backend).run(feeds)["y"]
    return result


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_that_repeat_are_all_added(dtype: str) -> None:
    """In onnxruntime the threads of ScatterND race there."""
    b = og.Builder("scattered")
    x, places = b.input("x", dtype, (2, 3)), b.constant(np.zeros((500, 1), np.int64))
    y = b.op.ScatterND(x, places, b.input("updates", dtype, (500, 3)), reduction="add")
    b.output(y, "y")
    feeds: Arrays = {"x": np.ones((2, 3), dtype), "updates": np.ones((500, 3), dtype)}
    found = run_in_onnxruntime(og.to_onnx(b.build()), feeds)["y"]
    np.testing.assert_array_equal(found, np.array([[501] * 3, [1] * 3], dtype))


@pytest.mark.parametrize("opset", [13, 21])
@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(("cell", "gates"), [("GRU", 3), ("LSTM", 4), ("RNN", 1)])
def test_after_no_steps_the_last_state_is_the_first(
    cell: str, gates: int, given: bool, opset: int
) -> None:
    b = og.Builder("no steps")
    x, h = b.input("x", "float32", (0, 2, 1)), b.input("h", "float32", (1, 2, 3))
    w, r = np.ones((1, 3 * gates, 1), np.float32), np.ones((1, 3 * gates, 3), np.float32)
    last = getattr(b.op, cell)(x, w, r, None, None, h if given else None, hidden_size=3, outputs=2)
    for name, value in zip(("y", "y_h"), last, strict=True):
        b.output(value, name)
    state = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    feeds = {"x": np.zeros((0, 2, 1), np.float32), "h": state}
    model = og.to_onnx(b.build(), opset=opset).SerializeToString()
    session: Any = onnxruntime.InferenceSession(model)
    y, y_h = session.run(None, {v.name: feeds[v.name] for v in session.get_inputs()})
    assert y.shape == (0, 1, 2, 3)
    np.testing.assert_array_equal(y_h, state if given else np.zeros((1, 2, 3)))


@pytest.mark.parametrize("shape", [(4,), (1, 4)])
def test_a_single_block_of_steps(shape: tuple[int, ...]) -> None:
    """The kernels refuse a list of one scale where blocks have a size."""
    ones, x = (1,) * len(shape), np.array([3, -1, 0.4, 200], np.float32).reshape(shape)
    scale, zero = np.full(ones, 0.5, np.float32), np.full(ones, 3, np.uint8)
    blocks = {"axis": len(shape) - 1, "block_size": 4}
    steps = saved_and_run("QuantizeLinear", [x, scale, zero], **blocks)["y0"]
    assert steps.ravel().tolist() == [9, 1, 4, 255]
    y = saved_and_run("DequantizeLinear", [steps, scale, zero], **blocks)["y0"]
    assert y.ravel().tolist() == [3, -1, 0.5, 126]
