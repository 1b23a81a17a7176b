"""Gradients of conversions between dtypes and of dequantization, against their closed forms."""

from typing import Any

import ml_dtypes
import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto
from onnx.helper import np_dtype_to_tensor_dtype

import onnxgrad as og

FLOATS = ["float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("target", FLOATS)
@pytest.mark.parametrize("like", [False, True], ids=["Cast", "CastLike"])
def test_cast_passes_the_gradient_on_in_the_dtype_of_its_input(
    source: str, target: str, like: bool
) -> None:
    b = og.Builder("cast")
    x = b.input("x", source, (3,))
    kind = np.zeros(1, _dtype(target))
    y = b.op.CastLike(x, kind) if like else b.op.Cast(x, to=np_dtype_to_tensor_dtype(kind.dtype))
    b.output(y, "y")
    dy = np.array([0.5, -2.0, 4.0])
    feeds = {"x": dy.astype(_dtype(source)), "y.grad": dy.astype(_dtype(target))}
    dx = og.compile(og.vjp(b.build(), "y", "x")).run(feeds)["x.grad"]
    assert dx.dtype == _dtype(source)
    np.testing.assert_array_equal(dx.astype(np.float64), dy)


@pytest.mark.parametrize("target", ["int32", "bool", "float8_e4m3fn"])
def test_cast_to_steps_ends_the_gradient(target: str) -> None:
    b = og.Builder("cast")
    x = b.input("x", "float32", (3,))
    steps = b.op.CastLike(x, b.constant(np.zeros(1, _dtype(target))))
    b.output(b.op.Add(b.op.CastLike(steps, x), x), "y")
    feeds = {"x": np.ones(3, np.float32), "y.grad": np.array([1, 2, 3], np.float32)}
    dx = og.compile(og.vjp(b.build(), "y", "x")).run(feeds)["x.grad"]
    np.testing.assert_array_equal(dx, feeds["y.grad"])


SCALES: dict[str, tuple[tuple[int, ...], dict[str, int]]] = {
    "one scale": ((), {}),
    "one scale in a list": ((1,), {}),
    "a scale per row": ((4,), {"axis": 0}),
    "a scale per column": ((6,), {"axis": -1}),
    "blocks": ((4, 2), {"axis": 1, "block_size": 3}),
    "blocks with a rest": ((2, 6), {"axis": 0, "block_size": 3}),
}


@pytest.mark.parametrize("scale_dtype", ["float32", "float16"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "float8_e4m3fn"])
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("mode", SCALES)
def test_dequantize_by_scale(mode: str, symbolic: bool, dtype: str, scale_dtype: str) -> None:
    """y = (x − zero)·scale is linear in the scale, so that its slope is y at unit scales."""
    shape, attributes = SCALES[mode]
    rng = np.random.default_rng(1)
    x = rng.integers(0, 9, (4, 6)).astype(_dtype(dtype))
    zero = rng.integers(0, 9, shape).astype(_dtype(dtype))
    if dtype.startswith("float8"):
        zero = np.zeros_like(zero)  # the standard wants no other
    scale = rng.integers(1, 5, shape).astype(scale_dtype)
    b = og.Builder("dequantize")
    dims = ["n", "m"] if symbolic else [4, 6]
    scale_dims = [f"s{k}" for k in range(len(shape))] if symbolic else list(shape)
    if mode == "one scale in a list":
        scale_dims = [1]
    inputs = [
        b.input("x", x.dtype, dims),
        b.input("scale", scale_dtype, scale_dims),
        b.input("zero", zero.dtype, scale_dims),
    ]
    b.output(b.op.DequantizeLinear(*inputs, **attributes), "y")
    dy = rng.integers(-3, 4, (4, 6)).astype(scale_dtype)
    feeds = {"x": x, "scale": scale, "zero": zero, "y.grad": dy}
    actual = og.compile(og.vjp(b.build(), "y", "scale")).run(feeds)["scale.grad"]
    terms = dy * (x.astype(np.float64) - _stretched(zero.astype(np.float64), attributes))
    expected = np.zeros(shape)
    places = _stretched(np.arange(expected.size).reshape(shape), attributes)
    np.add.at(expected.reshape(-1), np.broadcast_to(places, (4, 6)), terms)
    assert actual.dtype == scale.dtype
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(
    ("x", "slopes"),
    [
        ([0.5, -2.0, 4.0, 1.0], [0, -1, 1, 0]),
        ([0.5, 2.0, 4.0, 4.0], [0, 0, 0.5, 0.5]),  # the range ends at 0, and the largest share
        ([-0.5, -2.0, -4.0, -1.0], [0, 0, -1, 0]),
    ],
)
def test_the_scale_of_a_dynamic_quantization_follows_the_extremes(x: Any, slopes: Any) -> None:
    """scale = (max(x, 0) − min(x, 0))/255, and the gradient is linear in that of the scale"""
    b = og.Builder("quantize")
    _, scale, _ = b.op.DynamicQuantizeLinear(b.input("x", "float32", (4,)), outputs=3)
    b.output(scale, "scale")
    feeds = {"x": np.array(x, np.float32), "scale.grad": np.array(51, np.float32)}
    first = og.vjp(b.build(), "scale", "x")
    actual = og.compile(first).run(feeds)["x.grad"]
    np.testing.assert_allclose(actual, np.array(slopes) / 5, rtol=1e-6)
    second = og.vjp(first, "x.grad", "scale.grad", names={"scale.grad": "by_cotangent"})
    feeds["x.grad.grad"] = np.arange(1, 5, dtype=np.float32)
    by_cotangent = og.compile(second).run(feeds)["by_cotangent"]
    np.testing.assert_allclose(by_cotangent, np.dot(slopes, [1, 2, 3, 4]) / 255, rtol=1e-6)


def _stretched(parameter: np.ndarray, attributes: dict[str, int]) -> np.ndarray:
    """Give each element of x its own scale or zero point."""
    if "block_size" in attributes:
        axis, block = attributes["axis"], attributes["block_size"]
        return np.repeat(parameter, block, axis)[:4, :6]
    return parameter[:, None] if attributes.get("axis") == 0 else parameter


def _dtype(name: str) -> Any:
    return np.dtype(getattr(ml_dtypes, name, name))


def test_bits_read_as_the_same_dtype_are_the_identity_and_as_another_are_refused() -> None:
    b = og.Builder("bits")
    x = b.input("x", "float16", (3,))
    b.output(b.op.BitCast(x, to=TensorProto.FLOAT16), "same")
    b.output(b.op.BitCast(x, to=TensorProto.BFLOAT16), "other")
    graph = b.build()
    dy = np.array([1, 2, 3], np.float16)
    results = og.compile(og.vjp(graph, "same", "x")).run({"x": dy, "same.grad": dy})
    np.testing.assert_array_equal(results["x.grad"], dy)
    with pytest.raises(og.OnnxgradError, match="bits"):
        og.vjp(graph, "other", "x")


@pytest.mark.parametrize("to", ["bfloat16", ml_dtypes.bfloat16, np.dtype("bfloat16"), 16])
def test_an_attribute_takes_a_dtype_by_name_or_number(to: Any) -> None:
    b = og.Builder("cast")
    y = b.op.Cast(b.input("x", "float32", (3,)), to=to)
    assert y.dtype == ml_dtypes.bfloat16
    b.output(y, "y")
    (node,) = og.to_onnx(b.build()).graph.node
    assert node.attribute[0].i == TensorProto.BFLOAT16


def test_a_dtype_that_is_none_is_refused() -> None:
    b = og.Builder("cast")
    with pytest.raises(og.OnnxgradError, match="float23"):
        b.op.Cast(b.input("x", "float32", (3,)), to="float23")


@pytest.mark.parametrize("flag", [True, False])
def test_a_tangent_is_not_cast_there_and_back_which_onnxruntime_loses_in_a_branch(
    flag: bool,
) -> None:
    """x is read more than once, so its gradients are added in float32; a branch reads a tangent."""
    b = og.Builder("branch")
    x, c = b.input("x", "float16", (3,)), b.input("c", "bool", ())
    twice = b.op.Add(x, x)
    thrice = b.op.Add(twice, x)
    then = b.subgraph(lambda: b.op.Add(thrice, x))
    other = b.subgraph(lambda: b.op.Mul(x, np.array(5, "float16")))
    y = b.op.If(c, then_branch=then, else_branch=other)
    b.output(b.op.ReduceSum(y * y, keepdims=0), "s")
    graph = og.hvp(b.build(), "s", "x")
    session = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    ones = np.ones(3, "float16")
    (found,) = session.run(["x.hvp"], {"x": ones, "c": np.array(flag), "x.tangent": ones})
    np.testing.assert_array_equal(found, ones * 2 * (4 if flag else 5) ** 2)
