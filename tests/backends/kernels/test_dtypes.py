"""Kernels keep dtypes, memory layouts and accuracy, whatever the array looks like."""

import functools
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import onnxgrad.backends.kernels  # noqa: F401 (registers the kernels)
from onnxgrad.backends.kernels.registry import KERNELS

Array = Any
HALF = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
UNARY: dict[str, dict[str, Any]] = {
    name: {}
    for name in (
        "Abs Atan Ceil Celu Cos Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity LeakyRelu "
        "LogSoftmax Mish Neg Reciprocal Relu Round Sigmoid Sign Sin Softmax Softplus Softsign "
        "Swish Tanh ThresholdedRelu ReduceSum ReduceMean ReduceMax ReduceL2 ReduceLogSumExp "
        "GlobalMaxPool"
    ).split()
} | {
    "Selu": {"alpha": 1.6732632, "gamma": 1.0507010},
    "GlobalAveragePool": {},
    "LRN": {"size": 3},
    "AveragePool": {"kernel_shape": [2, 2]},
    "MaxPool": {"kernel_shape": [2, 2]},
    "DepthToSpace": {"blocksize": 2},
}
BINARY = "Add Sub Mul Div Pow Max Min Sum Mean PRelu SwiGLU MatMul".split()


def call(op_type: str, *inputs: Any, domain: str = "", **attributes: Any) -> Any:
    return KERNELS[domain, op_type].function(np, *inputs, **attributes)


def draw(*shape: int) -> Array:
    return np.random.default_rng(0).uniform(0.3, 2.5, shape)


@pytest.mark.parametrize("dtype", [*HALF, np.dtype(np.float32), np.dtype(np.float64)], ids=str)
@pytest.mark.parametrize("op_type", [*UNARY, *BINARY])
def test_dtype_is_kept(op_type: str, dtype: Any) -> None:
    inputs = [draw(2, 4, 4, 4).astype(dtype)] * (2 if op_type in BINARY else 1)
    attributes = UNARY.get(op_type, {})
    result = call(op_type, *inputs, **attributes)
    assert result.dtype == dtype
    wide = call(op_type, *(x.astype(np.float64) for x in inputs), **attributes)
    tolerance = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-6, "float64": 0}[dtype.name]
    np.testing.assert_allclose(
        result.astype(np.float64), wide, rtol=tolerance, atol=tolerance, err_msg=op_type
    )


@pytest.mark.parametrize("op_type", [*UNARY, *BINARY])
def test_strides_do_not_matter(op_type: str) -> None:
    base = draw(8, 4, 4, 8).astype(np.float32)
    for x in (base[::2, :, :, ::-2], base[:4, :, :, :4].transpose(3, 0, 2, 1), base[:4, :, :, :4]):
        inputs = [x] * (2 if op_type in BINARY else 1)
        attributes = UNARY.get(op_type, {})
        before = base.copy()
        result = call(op_type, *inputs, **attributes)
        plain = call(op_type, *(np.ascontiguousarray(v) for v in inputs), **attributes)
        np.testing.assert_allclose(result, plain, rtol=1e-6)
        np.testing.assert_array_equal(base, before)


@pytest.mark.parametrize(
    "op_type",
    "Erf Gelu Mish Relu Sigmoid Softplus Swish Where GeluGrad ReluGrad".split(),
)
def test_large_arrays_in_any_layout(op_type: str) -> None:
    """More than one block, dense or not, of one layout or several."""
    x = np.random.default_rng(0).standard_normal((3, 50, 40, 30)).astype(np.float32)
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    domain = "onnxgrad" if op_type.endswith("Grad") else ""
    run = functools.partial(call, op_type, domain=domain)

    def apply(v: Array, other: Array) -> Array:
        if op_type == "Where":
            return run(v > 0, v, other)
        return run(other, v) if domain else run(v)

    # small pieces take the other path
    expected = np.stack([[apply(plane, plane + 1) for plane in image] for image in x])
    for v, other in [(x, x + 1), (last, x + 1), (x, last + 1), (last[::-1], x[::-1] + 1)]:
        result = apply(v, other)
        wanted = expected[::-1] if v.strides[0] < 0 else expected
        np.testing.assert_allclose(result, wanted, rtol=1e-6, atol=1e-7)
    broadcast = np.broadcast_to(x[:, :1], x.shape)
    np.testing.assert_allclose(
        apply(broadcast, broadcast + 1), apply(broadcast.copy(), broadcast + 1), rtol=1e-6
    )


def test_where_keeps_every_bit() -> None:
    rng = np.random.default_rng(0)
    condition = rng.random((100, 100)) < 0.5
    for dtype in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int8, np.int64):
        x, y = (rng.standard_normal((2, 100, 100)) * 100).astype(dtype)
        if np.dtype(dtype).kind == "f":
            x[condition], y[~condition] = math.inf, math.nan
        for a, b in ((x, y), (x, y[:1]), (x[0, 0], y), (x[:, :1], y[0, 0])):
            result = call("Where", condition, np.asarray(a), np.asarray(b))
            assert result.dtype == dtype
            assert result.tobytes() == np.where(condition, a, b).tobytes()


def test_erf_is_accurate() -> None:
    x = np.concatenate([np.linspace(-7, 7, 20001), np.geomspace(1e-300, 1, 1000)])
    expected = np.array([math.erf(v) for v in x])
    np.testing.assert_allclose(call("Erf", x), expected, rtol=1e-15, atol=0)
    single = x.astype(np.float32)
    expected = np.array([math.erf(v) for v in single])
    np.testing.assert_allclose(call("Erf", single), expected, rtol=3e-7, atol=1e-44)
    assert np.abs(call("Erf", single) - expected).max() <= 1e-7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erf_and_gelu_at_the_ends(dtype: Any) -> None:
    x = np.array([math.inf, -math.inf, math.nan, 1e30, -1e30, 0.0], dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(call("Erf", x), [1, -1, math.nan, 1, -1, 0])
        gelu = call("Gelu", x)
        grad = call("GeluGrad", np.ones_like(x), x, domain="onnxgrad")
    np.testing.assert_array_equal(gelu[2:], np.array([math.nan, 1e30, 0, 0], dtype))
    assert gelu[0] == math.inf
    np.testing.assert_array_equal(grad[2:], [math.nan, 1, 0, 0.5])


def test_many_are_added_before_half_precision_rounds() -> None:
    x = np.array([6e4], np.float16)
    assert call("Mean", x, x) == [6e4]
    assert call("Sum", x, x, -x) == [6e4]


def test_integers_divide_towards_zero() -> None:
    x = np.array([-7, 7, -7, 7, -6, 0], np.int32)
    y = np.array([2, 2, -2, -2, 2, 5], np.int32)
    result = call("Div", x, y)
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result, [-3, 3, 3, -3, -3, 0])
    np.testing.assert_array_equal(call("Div", np.uint8(7), np.uint8(2)), 3)


def test_pow_takes_the_dtype_of_its_base() -> None:
    x = np.array([-3, 2, 4], np.int32)
    for exponent, expected in (
        (np.array([3, 2, 0], np.int64), [-27, 4, 1]),
        (np.array([2.0, 0.5, 0.5]), [9, 1, 2]),
        (np.array([-1, -1, 0]), [0, 0, 1]),
        (np.array(2.0, np.float32), [9, 4, 16]),
        (np.array(3), [-27, 8, 64]),
    ):
        result = call("Pow", x, exponent)
        assert result.dtype == np.int32
        np.testing.assert_array_equal(result, expected)
    assert call("Pow", x.astype(np.float32), np.array([2, 3, 1])).dtype == np.float32
