"""Convolutions, pools and their gradients against plain loops over every window."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx.shape_inference import infer_shapes

from onnxgrad.backends.kernels import convolution
from onnxgrad.backends.kernels.registry import KERNELS

Array = Any


def call(op_type: str, *inputs: Any, domain: str = "", **attributes: Any) -> Any:
    return KERNELS[domain, op_type].function(np, *inputs, **attributes)


def shape_of(x: Array) -> Array:
    return np.asarray(x.shape, dtype=np.int64)


def convolution_by_loops(
    x: Array, w: Array, dy: Array | None, geometry: dict[str, Any]
) -> tuple[Array, Array, Array]:
    """Return y, and dx and dw for the given dy, visiting every product once."""
    rank, group, pads = x.ndim - 2, geometry["group"], geometry["pads"]
    strides, dilations = geometry["strides"], geometry["dilations"]
    outputs = [
        (x.shape[2 + i] + pads[i] + pads[i + rank] - (w.shape[2 + i] - 1) * dilations[i] - 1)
        // strides[i]
        + 1
        for i in range(rank)
    ]
    y: Array = np.zeros((x.shape[0], w.shape[0], *outputs), x.dtype)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    channels, maps = w.shape[1], w.shape[0] // group
    for g in range(group):
        into, over = slice(g * maps, (g + 1) * maps), slice(g * channels, (g + 1) * channels)
        for o in itertools.product(*map(range, outputs)):
            for tap in itertools.product(*map(range, w.shape[2:])):
                at = tuple(o[i] * strides[i] + tap[i] * dilations[i] - pads[i] for i in range(rank))
                if any(not 0 <= a < n for a, n in zip(at, x.shape[2:], strict=True)):
                    continue
                here: Any = (slice(None), over, *at)
                there: Any = (into, slice(None), *tap)
                seen, weight = x[here], w[there]
                y[(slice(None), into, *o)] += seen @ weight.T
                if dy is not None:
                    part = dy[(slice(None), into, *o)]
                    dx[here] += part @ weight
                    dw[there] += part.T @ seen
    return y, dx, dw


def random_convolution(rng: Any) -> tuple[Array, Array, dict[str, Any]] | None:
    rank = int(rng.integers(1, 4))
    group = int(rng.choice([1, 1, 2, 3]))
    channels, maps = rng.integers(1, 4, 2)
    kernel = rng.integers(1, 4, rank)
    sizes = rng.integers(1, 9 if rank < 3 else 6, rank)
    geometry: dict[str, Any] = {
        "strides": rng.integers(1, 4, rank).tolist(),
        "dilations": rng.integers(1, 4, rank).tolist(),
        "pads": rng.integers(0, 5, 2 * rank).tolist(),
        "group": group,
    }
    for i in range(rank):
        reach = (kernel[i] - 1) * geometry["dilations"][i] + 1
        if sizes[i] + geometry["pads"][i] + geometry["pads"][i + rank] < reach:
            return None
    x = rng.standard_normal((rng.integers(1, 4), channels * group, *sizes))
    w = rng.standard_normal((maps * group, channels, *kernel))
    return x, w, geometry


@pytest.mark.parametrize("seed", range(150))
def test_convolution_and_its_gradients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = random_convolution(rng)
    while drawn is None:
        drawn = random_convolution(rng)
    x, w, geometry = drawn
    y = call("Conv", x, w, **geometry)
    dy = rng.standard_normal(y.shape)
    expected, dx, dw = convolution_by_loops(x, w, dy, geometry)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    attributes: dict[str, Any] = {"domain": "onnxgrad", **geometry}
    result = call("ConvInputGrad", dy, w, shape_of(x), **attributes)
    np.testing.assert_allclose(result, dx, rtol=1e-12, atol=1e-12)
    result = call("ConvWeightGrad", dy, x, shape_of(w), **attributes)
    np.testing.assert_allclose(result, dw, rtol=1e-12, atol=1e-12)
    # ConvTranspose is the same map as the input gradient, told of what the stride left over
    pads = geometry["pads"]
    extra = [
        (n + p + q - (k - 1) * d - 1) % s
        for n, p, q, k, d, s in zip(
            x.shape[2:],
            pads[: len(pads) // 2],
            pads[len(pads) // 2 :],
            w.shape[2:],
            geometry["dilations"],
            geometry["strides"],
            strict=True,
        )
    ]
    result = call("ConvTranspose", dy, w, output_padding=extra, **geometry)
    np.testing.assert_allclose(result, dx, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_long_strides_gather_few_windows(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a spectrum or in patches: places between two steps see the same few outputs."""
    gathered = []

    def spy(xp: Any, *given: Any) -> Any:
        gathered.append(given)
        return correlate(xp, *given)

    correlate = convolution._correlate
    monkeypatch.setattr(convolution, "_correlate", spy)
    rng = np.random.default_rng(seed)
    rank, group, stride = int(rng.integers(1, 3)), int(rng.choice([1, 2])), int(rng.integers(4, 9))
    geometry: dict[str, Any] = {
        "strides": [stride] * rank,
        "dilations": [1] * rank,
        "pads": rng.integers(0, 5, 2 * rank).tolist(),
        "group": group,
    }
    x = rng.standard_normal((2, 2 * group, *rng.integers(2 * stride, 4 * stride, rank)))
    w = rng.standard_normal((3 * group, 2, *[stride * int(rng.integers(1, 3))] * rank))
    dy = rng.standard_normal(call("Conv", x, w, **geometry).shape)
    gathered.clear()
    result = call("ConvInputGrad", dy, w, shape_of(x), domain="onnxgrad", **geometry)
    _, dx, _ = convolution_by_loops(x, w, dy, geometry)
    np.testing.assert_allclose(result, dx, rtol=1e-11, atol=1e-11)
    assert len(gathered) <= 3**rank  # where a row begins and where it ends part an axis


def test_convolution_in_several_blocks() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5, 16, 64, 64)), rng.standard_normal((8, 16, 3, 3))
    geometry: dict[str, Any] = {
        "strides": [1, 1],
        "dilations": [1, 1],
        "pads": [1, 1, 1, 1],
        "group": 1,
    }
    y = call("Conv", x, w, **geometry)  # 9 MB of columns an image
    dy = rng.standard_normal(y.shape)
    each = [call("Conv", x[i : i + 1], w, **geometry) for i in range(5)]
    np.testing.assert_allclose(y, np.concatenate(each), rtol=1e-12, atol=1e-12)
    expected, dx, dw = convolution_by_loops(x[:1], w, dy[:1], geometry)
    np.testing.assert_allclose(each[0], expected, rtol=1e-11, atol=1e-11)
    attributes: dict[str, Any] = {"domain": "onnxgrad", **geometry}
    result = call("ConvWeightGrad", dy, x, shape_of(w), **attributes)
    parts = [
        call("ConvWeightGrad", dy[i : i + 1], x[i : i + 1], shape_of(w), **attributes)
        for i in range(5)
    ]
    np.testing.assert_allclose(parts[0], dw, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(result, sum(parts), rtol=1e-11, atol=1e-11)
    result = call("ConvInputGrad", dy, w, shape_of(x), **attributes)
    np.testing.assert_allclose(result[:1], dx, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("group", [1, 2])
def test_convolution_of_no_channels_is_the_bias(group: int) -> None:
    """The weight gradient of an empty batch is one: images stand for channels there."""
    x, w = np.zeros((3, 0, 5)), np.zeros((4, 0, 2))
    y = call("Conv", x, w, np.arange(4.0), group=group)
    np.testing.assert_array_equal(y, np.broadcast_to(np.arange(4.0)[:, None], (3, 4, 4)))


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_auto_pad(auto_pad: str, stride: int) -> None:
    rng = np.random.default_rng(stride)
    x, w = rng.standard_normal((2, 3, 8, 7)), rng.standard_normal((4, 3, 3, 2))
    node = helper.make_node("Conv", ["x", "w"], ["y"], auto_pad=auto_pad, strides=[stride] * 2)
    expected = run_reference(node, x, w)
    result = call("Conv", x, w, auto_pad=auto_pad, strides=[stride] * 2)
    np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-12)


def model_of(node: Any, *inputs: Array) -> Any:
    """Return a model of one node of float64 tensors."""
    values = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, array.shape)
        for name, array in zip(node.input, inputs, strict=True)
    ]
    outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.DOUBLE, None)]
    graph = helper.make_graph([node], "g", values, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])


def run_reference(node: Any, *inputs: Array) -> Array:
    """Run one node of float64 tensors in onnx.reference."""
    feeds = dict(zip(node.input, inputs, strict=True))
    results: Any = ReferenceEvaluator(model_of(node, *inputs)).run(None, feeds)
    return results[0]


def inferred_shape(node: Any, x: Array) -> tuple[int, ...]:
    """Return the shape that ONNX infers: onnx.reference is wrong for some uneven pads."""
    (output,) = infer_shapes(model_of(node, x), strict_mode=True).graph.output
    return tuple(d.dim_value for d in output.type.tensor_type.shape.dim)


def pool_by_loops(
    x: Array, kernel: list[int], geometry: dict[str, Any], outputs: tuple[int, ...]
) -> dict[tuple[int, ...], list[tuple[int, ...]]]:
    """Return for each window of a pool the positions in x that it holds."""
    rank = x.ndim - 2
    held: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for o in itertools.product(*map(range, outputs)):
        held[o] = []
        for tap in itertools.product(*map(range, kernel)):
            at = tuple(
                o[i] * geometry["strides"][i]
                + tap[i] * geometry["dilations"][i]
                - geometry["pads"][i]
                for i in range(rank)
            )
            if all(0 <= a < n for a, n in zip(at, x.shape[2:], strict=True)):
                held[o].append(at)
    return held


@pytest.mark.parametrize("seed", range(60))
def test_pools_and_their_gradients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 4))
    kernel = rng.integers(1, 4, rank).tolist()
    dilations = rng.integers(1, 3, rank).tolist()
    pads = [int(rng.integers(0, k)) for k in kernel * 2]
    geometry: dict[str, Any] = {
        "strides": rng.integers(1, 4, rank).tolist(),
        "dilations": dilations,
        "pads": pads if max(dilations) == 1 else [0] * 2 * rank,
        "ceil_mode": int(rng.integers(0, 2)),
    }
    sizes = [int(rng.integers((k - 1) * d + 1, 9)) for k, d in zip(kernel, dilations, strict=True)]
    x = rng.integers(-3, 4, (2, 2, *sizes)).astype(np.float64)  # many equal elements
    y, indices = call("MaxPool", x, kernel_shape=kernel, outputs=2, **geometry)
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=kernel, **geometry)
    assert y.shape == inferred_shape(node, x) and indices.dtype == np.int64
    average = call("AveragePool", x, kernel_shape=kernel, **geometry)
    dy = rng.standard_normal(y.shape)
    dx_largest, dx_average = np.zeros_like(x), np.zeros_like(x)
    for o, positions in pool_by_loops(x, kernel, geometry, y.shape[2:]).items():
        for plane in itertools.product(range(2), range(2)):
            values = [x[(*plane, *at)] for at in positions]
            largest = positions[values.index(max(values))]
            assert y[(*plane, *o)] == max(values)
            assert indices[(*plane, *o)] == np.ravel_multi_index((*plane, *largest), x.shape)
            dx_largest[(*plane, *largest)] += dy[(*plane, *o)]
            mean = sum(values) / len(values)
            np.testing.assert_allclose(average[(*plane, *o)], mean, rtol=1e-12, atol=1e-12)
            for at in positions:
                dx_average[(*plane, *at)] += dy[(*plane, *o)] / len(values)
    result = call("MaxPoolGrad", dy, indices, shape_of(x), domain="onnxgrad")
    np.testing.assert_allclose(result, dx_largest, rtol=1e-12, atol=1e-12)
    result = call(
        "AveragePoolGrad", dy, shape_of(x), domain="onnxgrad", kernel_shape=kernel, **geometry
    )
    np.testing.assert_allclose(result, dx_average, rtol=1e-12, atol=1e-12)


def test_average_pool_that_counts_the_padding() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 2, 5, 6))
    geometry: dict[str, Any] = {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "strides": [2, 2]}
    geometry |= {"count_include_pad": 1, "ceil_mode": 1, "dilations": [1, 1]}
    node = helper.make_node("AveragePool", ["x"], ["y"], **geometry)
    y = call("AveragePool", x, **geometry)
    np.testing.assert_allclose(y, run_reference(node, x), rtol=1e-12)
    dy = rng.standard_normal(y.shape)
    dx = call("AveragePoolGrad", dy, shape_of(x), domain="onnxgrad", **geometry)
    # the pool is linear: its gradient is its transpose
    for at in itertools.product(*map(range, x.shape)):
        unit = np.zeros_like(x)
        unit[at] = 1
        assert math.isclose(dx[at], (call("AveragePool", unit, **geometry) * dy).sum())


def test_max_pool_of_nan_points_at_the_nan() -> None:
    x = np.array([[[1.0, math.nan, 2.0, -math.inf, -math.inf]]])
    y, indices = call("MaxPool", x, kernel_shape=[2], pads=[1, 1], outputs=2)
    np.testing.assert_array_equal(y[0, 0], [1, math.nan, math.nan, 2, -math.inf, -math.inf])
    np.testing.assert_array_equal(indices[0, 0], [0, 1, 1, 2, 3, 4])


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_columns_add_up_where_windows_read(rank: int, seed: int) -> None:
    """Element by element: what overlaps is added, what lies in the padding is dropped."""
    rng = np.random.default_rng([rank, seed])
    block, strides, dilations = (rng.integers(1, 3, rank).tolist() for _ in range(3))
    pads = rng.integers(0, 2, 2 * rank).tolist()
    sizes = rng.integers(4, 6, rank).tolist()
    counts = [
        (n + pads[a] + pads[a + rank] - (block[a] - 1) * dilations[a] - 1) // strides[a] + 1
        for a, n in enumerate(sizes)
    ]
    x = rng.normal(size=(2, 3 * math.prod(block), math.prod(counts)))
    expected = np.zeros((2, 3, *sizes))
    for k, tap in enumerate(np.ndindex(*block)):
        for n, place in enumerate(np.ndindex(*counts)):
            at = tuple(place[a] * strides[a] + tap[a] * dilations[a] - pads[a] for a in range(rank))
            if all(0 <= i < size for i, size in zip(at, sizes, strict=True)):
                expected[(..., *at)] += x.reshape(2, 3, math.prod(block), -1)[:, :, k, n]
    kernel = KERNELS["", "Col2Im"].function
    found = kernel(np, x, np.array(sizes), np.array(block), dilations, pads, strides)
    np.testing.assert_allclose(found, expected, atol=1e-12)
