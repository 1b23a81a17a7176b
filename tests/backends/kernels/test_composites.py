"""Kernels of gradient composites against finite differences of formulas in float64, or loops."""

import math
from typing import Any

import numpy as np
import pytest
from finite_differences import finite_differences

import onnxgrad.backends.kernels  # noqa: F401 (registers the kernels)
from onnxgrad.backends.kernels.registry import KERNELS

Array = Any


def call(op_type: str, *inputs: Any, **attributes: Any) -> Any:
    return KERNELS["onnxgrad", op_type].function(np, *inputs, **attributes)


def assert_gradient(result: Array, function: Any, feeds: dict[str, Array], name: str) -> None:
    expected = finite_differences(function, feeds, name)
    assert result.shape == expected.shape and result.dtype == np.float64
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-8)


def softmax(x: Array, axis: int) -> Array:
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str) -> None:
    rng = np.random.default_rng(0)
    x, dy = 3 * rng.standard_normal((4, 5)), rng.standard_normal((4, 5))

    def gelu(v: Array) -> Array:
        if approximate == "none":
            return v * 0.5 * (1 + np.vectorize(math.erf)(v / math.sqrt(2)))
        return 0.5 * v * (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))

    result = call("GeluGrad", dy, x, approximate=approximate)
    assert_gradient(result, lambda f: float((gelu(f["x"]) * dy).sum()), {"x": x}, "x")


@pytest.mark.parametrize("size", [5, 100_000])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_relu(size: int, dtype: Any) -> None:
    rng = np.random.default_rng(0)
    y = np.maximum(rng.standard_normal(size), 0).astype(dtype)
    dy = rng.standard_normal(size).astype(dtype)
    y[:4], dy[:4] = [0, -0.0, math.nan, math.inf], [math.inf, math.nan, 2, math.inf]
    result = call("ReluGrad", dy, y)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result[:4], [0, 0, 2, math.inf])
    np.testing.assert_array_equal(result[4:], np.where(y[4:] > 0, dy[4:], 0))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax(axis: int) -> None:
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((3, 4, 2)), rng.standard_normal((3, 4, 2))
    y = softmax(x, axis)
    result = call("SoftmaxGrad", dy, y, axis=axis)
    assert_gradient(result, lambda f: float((softmax(f["x"], axis) * dy).sum()), {"x": x}, "x")
    result = call("LogSoftmaxGrad", dy, np.log(y), axis=axis)
    assert_gradient(
        result, lambda f: float((np.log(softmax(f["x"], axis)) * dy).sum()), {"x": x}, "x"
    )


@pytest.mark.parametrize(
    ("axis", "scale_shape"), [(-1, (5,)), (1, (4, 5)), (1, (5,)), (1, (4, 1)), (-1, ()), (0, (5,))]
)
def test_layer_normalization(axis: int, scale_shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    feeds = {"x": rng.standard_normal((3, 4, 5)), "scale": rng.standard_normal(scale_shape)}
    dy = rng.standard_normal((3, 4, 5))
    axes = tuple(range(axis % 3, 3))

    def loss(f: dict[str, Array]) -> float:
        centred = f["x"] - f["x"].mean(axis=axes, keepdims=True)
        variance = (centred**2).mean(axis=axes, keepdims=True)
        return float((centred / np.sqrt(variance + 1e-2) * f["scale"] * dy).sum())

    mean = feeds["x"].mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(feeds["x"].var(axis=axes, keepdims=True) + 1e-2)
    arguments = (dy, feeds["x"], feeds["scale"], mean, inverse)
    dx, dscale = call("LayerNormalizationGrad", *arguments, axis=axis, outputs=2)
    assert_gradient(dx, loss, feeds, "x")
    assert_gradient(dscale, loss, feeds, "scale")
    np.testing.assert_array_equal(
        call("LayerNormalizationGrad", *arguments, axis=axis, outputs=1), dx
    )


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_batch_normalization(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    feeds = {
        "x": rng.standard_normal(shape),
        "scale": rng.standard_normal(3),
        "b": rng.standard_normal(3),
    }
    dy = rng.standard_normal(shape)
    axes, channel = (0, *range(2, len(shape))), (-1, *[1] * (len(shape) - 2))

    def loss(f: dict[str, Array]) -> float:
        centred = f["x"] - f["x"].mean(axis=axes, keepdims=True)
        variance = (centred**2).mean(axis=axes, keepdims=True)
        y = centred / np.sqrt(variance + 1e-2) * f["scale"].reshape(channel)
        return float(((y + f["b"].reshape(channel)) * dy).sum())

    x = feeds["x"]
    results = call("BatchNormalizationGrad", dy, x, feeds["scale"], epsilon=1e-2)
    for result, name in zip(results, feeds, strict=True):
        assert_gradient(result, loss, feeds, name)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("ignore_index", [None, 1, -1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("extra", [(), (3,)])
def test_softmax_cross_entropy_loss(
    reduction: str, ignore_index: int | None, weighted: bool, extra: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 5, *extra))
    labels = rng.integers(0, 5, (4, *extra))
    if ignore_index is not None:
        labels.flat[1] = ignore_index
    weights = rng.uniform(0.5, 2, 5) if weighted else None
    dy: Array = rng.standard_normal(labels.shape) if reduction == "none" else np.float64(0.7)

    def loss(f: dict[str, Array]) -> float:
        log_prob = np.log(softmax(f["x"], 1))
        losses = np.zeros(labels.shape)
        total: Any = 0.0
        for k in np.ndindex(labels.shape):
            label = labels[k]
            if label != ignore_index:
                weight = 1.0 if weights is None else weights[label]
                losses[k] = -weight * log_prob[(k[0], label, *k[1:])]
                total += weight
        if reduction == "none":
            return float((losses * dy).sum())
        return float(losses.sum() * dy / (total if reduction == "mean" else 1))

    settings: dict[str, Any] = {"reduction": reduction}
    if ignore_index is not None:
        settings["ignore_index"] = ignore_index
    log_prob = np.log(softmax(x, 1))
    result = call("SoftmaxCrossEntropyLossGrad", dy, log_prob, labels, weights, **settings)
    assert_gradient(result, loss, {"x": x}, "x")
    # the kernel of the loss itself, on labels that ONNX's cases do not have
    forward = KERNELS["", "SoftmaxCrossEntropyLoss"].function(np, x, labels, weights, **settings)
    assert math.isclose(float((forward[0] * dy).sum()), loss({"x": x}), rel_tol=1e-12)
    np.testing.assert_allclose(forward[1], log_prob, rtol=1e-12)


@pytest.mark.parametrize(
    "target", [(), (1,), (4,), (1, 4), (3, 1), (2, 3, 4), (1, 1, 1), (2, 1, 4)]
)
def test_reduce_to_shape(target: tuple[int, ...]) -> None:
    dy = np.random.default_rng(0).standard_normal((2, 3, 4))
    expected = np.zeros(target)
    view = np.broadcast_to(np.arange(expected.size).reshape(target), dy.shape)
    for k in np.ndindex(dy.shape):
        expected.flat[view[k]] += dy[k]
    result = call("ReduceToShape", dy, np.array(target, dtype=np.int64))
    assert result.shape == target
    np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("index_shape", [(), (6,), (2, 50), (0,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gather(axis: int, index_shape: tuple[int, ...], dtype: Any) -> None:
    rng = np.random.default_rng(0)
    shape = np.array([3, 7, 5])
    indices = rng.integers(-shape[axis], shape[axis], index_shape)
    taken = np.take(np.zeros(shape, dtype), indices, axis=axis)
    dy = rng.standard_normal(taken.shape).astype(dtype)
    expected = np.zeros(shape)
    where = np.take(np.arange(105).reshape(shape), indices, axis=axis)
    for k in np.ndindex(dy.shape):
        expected.flat[where[k]] += dy[k]
    result = call("GatherGrad", dy, indices, shape, axis=axis)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_gather_refuses_an_index_out_of_range() -> None:
    dy, shape = np.ones((2, 3)), np.array([4, 3])
    for index in (4, -5):
        with pytest.raises(IndexError, match=str(index)):
            call("GatherGrad", dy, np.array([0, index]), shape, axis=0)
