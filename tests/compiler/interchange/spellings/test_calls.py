"""Calls that stock onnxruntime misunderstands are saved in another way that it understands."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from written_files import Arrays, run_in_onnxruntime

import onnxgrad as og


def run_saved(graph: og.Graph, feeds: Any, opset: int = 21) -> Any:
    session: Any = onnxruntime.InferenceSession(og.to_onnx(graph, opset=opset).SerializeToString())
    return session.run(None, feeds)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("axes", [[], [1], [-3, 1]])
def test_squeeze_takes_out_the_axes_that_it_is_given(axes: list[int], symbolic: bool) -> None:
    b = og.Builder("squeeze")
    x = b.input("x", "float32", (1, 1, 3))
    given = np.array(axes, np.int64)
    b.output(b.op.Squeeze(x, b.input("axes", "int64", ("n",)) if symbolic else given), "y")
    graph, array = b.build(), np.arange(3, dtype=np.float32).reshape(1, 1, 3)
    feeds = {"x": array, "axes": given} if symbolic else {"x": array}
    expected = np.squeeze(array, tuple(axes))
    np.testing.assert_array_equal(og.compile(graph, "onnxruntime").run(feeds)["y"], expected)
    if not symbolic:  # a file tells the rank of what it gives
        np.testing.assert_array_equal(run_saved(graph, feeds)[0], expected)


@pytest.mark.parametrize("opset", [16, 17, 21])
@pytest.mark.parametrize("shape", [(1,), (3, 1), (4,), (3, 4)])
def test_scale_of_a_layer_normalization_broadcasts(shape: tuple[int, ...], opset: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3, 4)).astype(np.float32)
    scale, bias = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
    b = og.Builder("normalization")
    given = [b.input(n, "float32", s) for n, s in (("x", (2, 3, 4)), ("s", shape), ("b", shape))]
    b.output(b.op.LayerNormalization(*given, axis=1), "y")
    (y,) = run_saved(b.build(), {"x": x, "s": scale, "b": bias}, opset)
    wide = x.astype(np.float64)
    centred = wide - wide.mean((1, 2), keepdims=True)
    normal = centred / np.sqrt((centred**2).mean((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(y, normal * scale + bias, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("op_type", ["AveragePool", "LpPool", "MaxPool", "Conv"])
def test_windows_begin_at_the_first_element_where_nothing_is_padded(
    op_type: str, mode: str, symbolic: bool
) -> None:
    b = og.Builder("pool")
    x = b.input("x", "float32", (1, 1, "n" if symbolic else 6))
    weight = [b.constant(np.ones((1, 1, 1), np.float32))] if op_type == "Conv" else []
    settings: Any = {"auto_pad": mode, "kernel_shape": [1], "strides": [3]}
    b.output(getattr(b.op, op_type)(x, *weight, **settings), "y")
    graph = b.build()
    feeds = {"x": np.arange(1, 7, dtype=np.float32).reshape(1, 1, 6)}
    for backend in ("numpy", "onnxruntime"):
        y = og.compile(graph, backend).run(feeds)["y"]
        np.testing.assert_array_equal(y.ravel(), [1, 4], err_msg=backend)
    np.testing.assert_array_equal(run_saved(graph, feeds)[0].ravel(), [1, 4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_modulus_of_floats_has_the_sign_of_the_divisor(dtype: Any) -> None:
    x, y = (a.astype(dtype) for a in np.meshgrid([-7.5, -3, 0, 0.5, 7.5], [-3, -0.75, 3]))
    b = og.Builder("mod")
    b.output(b.op.Mod(b.input("x", dtype, x.shape), b.input("y", dtype, y.shape)), "z")
    (z,) = run_saved(b.build(), {"x": x, "y": y})
    np.testing.assert_array_equal(z, np.mod(x, y))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("opset", [13, 21])
def test_padding_of_axes_that_run_time_tells_stays_behind_a_transpose(
    opset: int, dtype: Any
) -> None:
    """The gradient of the Softmax lets onnxruntime's optimizer move the Transpose past the Pad."""
    b = og.Builder("padding")
    x, axes = b.input("x", "float32", (2, 1, 4, 2)), b.input("axes", dtype, (3,))
    turned = b.op.Transpose(x, perm=[1, 2, 0, 3])
    b.output(b.op.Softmax(b.op.Pad(turned, np.array([1, 1, 0, 1, 1, 0]), None, axes)), "y")
    graph = og.vjp(b.build(), "y", "x")
    rng = np.random.default_rng(0)
    feeds = {
        "x": rng.normal(size=(2, 1, 4, 2)).astype(np.float32),
        "axes": np.array([-4, 1, 2], dtype),
        "y.grad": rng.normal(size=(3, 6, 2, 2)).astype(np.float32),
    }
    expected = og.compile(graph).run(feeds)
    for found, name in zip(run_saved(graph, feeds, opset), expected, strict=True):
        np.testing.assert_allclose(found, expected[name], atol=1e-6)


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool", "LpPool"])
def test_valid_lets_no_window_hang_over_the_end(op_type: str, symbolic: bool) -> None:
    """The standard: ⌈(5 − 2 + 1)/2⌉ = 2 windows, where onnxruntime's ceil_mode gives a third."""
    b = og.Builder("valid")
    x = b.input("x", "float32", ("n", "c", "w") if symbolic else (1, 1, 5))
    settings: dict[str, Any] = {"kernel_shape": [2], "strides": [2], "auto_pad": "VALID"}
    y = getattr(b.op, op_type)(x, ceil_mode=1, **settings)
    b.output(y, "y")
    graph = og.vjp(b.build(), "y", "x")
    feeds: Arrays = {
        "x": np.array([[[3, 4, 5, 12, 9]]], np.float32),
        "y.grad": np.array([[[1, 10]]], np.float32),
    }
    expected: tuple[Any, Any] = {
        "MaxPool": ([4, 12], [0, 1, 0, 10, 0]),
        "AveragePool": ([3.5, 8.5], [0.5, 0.5, 5, 5, 0]),
        "LpPool": ([5, 13], [3 / 5, 4 / 5, 50 / 13, 120 / 13, 0]),
    }[op_type]
    runs = [og.compile(graph, backend).run for backend in ("numpy", "onnxruntime")]
    for found in (*(run(feeds) for run in runs), run_in_onnxruntime(og.to_onnx(graph), feeds)):
        np.testing.assert_allclose(found["y"][0, 0], expected[0], rtol=1e-6)
        np.testing.assert_allclose(found["x.grad"][0, 0], expected[1], rtol=1e-6)


@pytest.mark.parametrize("opset", [9, 13, 21])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_equal_elements_are_normalized_to_zero(dtype: str, opset: int) -> None:
    b = og.Builder("normalization")
    b.output(b.op.MeanVarianceNormalization(b.input("x", dtype, (3, 4)), axes=[1]), "y")
    x = np.array([[1, 2, 3, 6], [-300, 0, 300, 900], [5, 5, 5, 5]], dtype)
    graph = b.build()
    onnx.checker.check_model(og.to_onnx(graph, opset=opset), full_check=True)
    (y,) = run_saved(graph, {"x": x}, opset)
    wide = x.astype(np.float64)
    centered = wide - wide.mean(1, keepdims=True)
    expected = centered / (np.sqrt((centered**2).mean(1, keepdims=True)) + 1e-9)
    np.testing.assert_allclose(y, expected, rtol=1e-3 if dtype == "float16" else 1e-6)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_a_resized_axis_is_as_long_as_the_exact_product(mode: str) -> None:
    """5·1.4 in float32 is 7, which onnxruntime takes; the scale itself is less than 1.4."""
    x = np.random.default_rng(0).normal(size=(1, 1, 5)).astype(np.float32)
    b = og.Builder("resize")
    scales = np.array([1, 1, 1.4], np.float32)
    b.output(b.op.Resize(b.input("x", "float32", x.shape), None, scales, mode=mode), "y")
    graph = og.vjp(b.build(), "y", "x")
    feeds = {"x": x, "y.grad": np.ones((1, 1, 6), np.float32)}
    expected = og.compile(graph).run(feeds)
    assert expected["y"].shape == (1, 1, 6)
    named = dict(zip([v.name for v in graph.outputs], run_saved(graph, feeds), strict=True))
    for found in (og.compile(graph, "onnxruntime").run(feeds), named):
        np.testing.assert_allclose(found["y"], expected["y"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["x.grad"], expected["x.grad"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_a_slice_of_the_first_axes_names_them(dtype: str) -> None:
    b = og.Builder("slice")
    x = b.input("x", "float32", (3, 4, 5))
    starts, ends = (b.constant(np.array(n, dtype)) for n in ([1, 0], [3, 2]))
    b.output(b.op.Slice(x, starts, ends), "y")
    graph, array = b.build(), np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    (call,) = og.to_onnx(graph).graph.node
    assert len(call.input) == 4
    np.testing.assert_array_equal(run_saved(graph, {"x": array})[0], array[1:3, :2])


@pytest.mark.parametrize("sizes", [[0, 2, 4], [2, 0, 2, 4], [0, 1, 1], [1, 0, 1, 1]])
@pytest.mark.parametrize("shape", [(1, 2, 4), ("n", 2, 4), (1, "h", "w")])
def test_expanding_to_nothing_gives_nothing(shape: Any, sizes: list[int]) -> None:
    b = og.Builder("expand")
    x = b.input("x", "float32", shape)
    y = b.op.Cos(b.op.Expand(b.op.Sin(x), np.array(sizes)))
    b.output(y, "y")
    b.output(b.op.ReduceSum(y, keepdims=0), "loss")
    feeds = {"x": np.ones((1, 2, 4), np.float32)}
    found, loss = run_saved(b.build(), feeds)
    assert found.shape == np.broadcast_shapes((1, 2, 4), tuple(sizes))
    assert loss == 0


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("flag", [False, True])
def test_a_branch_reads_what_was_cast_there_and_back(flag: bool, inside: bool) -> None:
    b, half = og.Builder("branch"), "float16"
    x, c = b.input("x", "float32", (3,)), b.input("c", "bool", ())
    narrow = b.op.Cast(x, to=half)
    wide = b.op.Cast(narrow, to="float32")
    outside = b.op.Cast(wide, to=half)

    def again() -> og.Tensor:
        return b.op.Cast(wide, to=half) if inside else outside

    then, other = b.subgraph(lambda: b.op.Identity(again())), b.subgraph(lambda: -again())
    y = b.op.If(c, then_branch=then, else_branch=other)
    b.output(b.op.Cast(y, to="float32"), "y")
    b.output(wide, "wide")
    array = np.array([1, 2, -3], np.float32)
    graph, feeds = b.build(), {"x": array, "c": np.array(flag)}
    expected = array if flag else -array
    np.testing.assert_array_equal(run_saved(graph, feeds)[0], expected)
    np.testing.assert_array_equal(og.compile(graph, "onnxruntime").run(feeds)["y"], expected)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_steps_back_from_the_start_to_the_end_take_nothing(dtype: str) -> None:
    """ONNX, Slice: for negative steps an end is clamped to the last element."""
    b = og.Builder("slice")
    x = b.input("x", "float32", (3, 4))
    largest = np.iinfo(dtype).max
    starts, ends, axes, steps = ([2, 3], [-99, largest], [0, 1], [-1, -1])
    b.output(b.op.Slice(x, *(np.array(v, dtype) for v in (starts, ends, axes, steps))), "y")
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    for found in (run_saved(b.build(), {"x": array})[0], og.compile(b.build())(x=array)["y"]):
        assert found.shape == (3, 0)


@pytest.mark.parametrize("size", [[1, 1, 2, 1, 2], [2, 1, 1, 3], [2, 1, "h", 1]])
def test_a_single_place_of_an_affine_grid_lies_on_minus_one(size: list[Any]) -> None:
    """ONNX, AffineGrid: with align_corners the steps begin at −1; onnx.reference says so, too."""
    sizes = [2 if n == "h" else n for n in size]
    axes = len(size) - 2
    b = og.Builder("grid")
    theta = b.input("theta", "float32", (size[0], axes, axes + 1))
    given = b.input("size", "int64", (len(size),)) if "h" in size else np.array(size)
    b.output(b.op.AffineGrid(theta, given, align_corners=1), "y")
    eye = np.tile(np.eye(axes, axes + 1, dtype=np.float32), (size[0], 1, 1))
    feeds = {"theta": eye, **({"size": np.array(sizes)} if "h" in size else {})}
    lines = [np.linspace(-1, 1, n, dtype=np.float32) for n in sizes[2:]]
    expected = np.stack(np.meshgrid(*lines, indexing="ij")[::-1], -1)
    for found in (run_saved(b.build(), feeds)[0], og.compile(b.build()).run(feeds)["y"]):
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-6)


def test_pads_of_some_axes_are_written_as_a_constant() -> None:
    """TVM 0.27 takes no others, and no runtime need compute them."""
    b = og.Builder("slice")
    x = b.input("x", "float32", (3, 4, 5))
    b.output(b.op.Slice(x, [1, -3], [100, -1], [-1, 0], [2, 1]), "y")
    model = og.to_onnx(og.vjp(b.build(), "y", "x"))
    held = {t.name for t in model.graph.initializer}
    pads = [node.input[1] for node in model.graph.node if node.op_type == "Pad"]
    assert pads and set(pads) <= held
