"""Files in float64 load in stock onnxruntime where other operators can say the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og
from onnxgrad.compiler.interchange.spellings.double import DOUBLE

X = np.array([-800, -30, -2.5, -0.3, -1e-9, 0, 1e-9, 0.4, 0.9, 3, 40, 800.0]).reshape(1, 2, 6)
LIMIT, BIAS = float(np.float32(0.7)), float(np.float32(0.3))  # attributes are float32
SMALL = np.clip(X, -30, 30)
ARGUMENTS = {
    "Acosh": 1 + np.abs(X),
    "Asinh": np.concatenate([X, X * 1e300], axis=1),
    "Atanh": np.tanh(X / 800),
    "Cosh": SMALL,
    "Sinh": SMALL,
    "Tan": SMALL,
}
"""What an operator is called with that does not take X."""

EXPECTED: dict[str, Callable[[np.ndarray], Any]] = {
    "Acosh": np.arccosh,
    "Asinh": np.arcsinh,
    "Atanh": np.arctanh,
    "Celu": lambda x: np.maximum(x, 0) + np.minimum(0, np.expm1(np.minimum(x, 0))),
    "Cosh": np.cosh,
    "Elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "Gelu": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "GlobalAveragePool": lambda x: x.mean(2, keepdims=True),
    "GlobalMaxPool": lambda x: x.max(2, keepdims=True),
    "GlobalLpPool": lambda x: np.sqrt((x**2).sum(2, keepdims=True)),
    "HardSigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "InstanceNormalization": lambda x: (
        (x - x.mean(2, keepdims=True))
        / np.sqrt(x.var(2, keepdims=True) + float(np.float32(1e-5)))
        * [[0.5], [2]]
        + [[1], [-3]]
    ),
    "LeakyRelu": lambda x: np.where(x < 0, np.float32(0.01) * x, x),
    "Mean": lambda x: x,
    "Mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "OneHot": lambda x: np.where(np.eye(3)[[1, 2]], x[0, 0, 1], x[0, 0, 0]),
    "PRelu": lambda x: np.where(x < 0, 0.25 * x, x),
    "Selu": lambda x: (
        np.float32(1.0507009873554805)
        * np.where(x > 0, x, np.float32(1.6732632423543772) * np.expm1(np.minimum(x, 0)))
    ),
    "Shrink": lambda x: np.where(x < -LIMIT, x + BIAS, np.where(x > LIMIT, x - BIAS, 0)),
    "Sinh": np.sinh,
    "Softplus": lambda x: np.logaddexp(0, x),
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Tan": np.tan,
    "ThresholdedRelu": lambda x: np.where(x > 1, x, 0),
}

SETTINGS: dict[str, dict[str, Any]] = {
    "Gelu": {"approximate": "tanh"},
    "Shrink": {"lambd": LIMIT, "bias": BIAS},
}

CALLS: dict[str, Callable[[Any, og.Tensor], og.Tensor]] = {
    "InstanceNormalization": lambda op, x: op.InstanceNormalization(
        x, np.array([0.5, 2]), np.array([1.0, -3])
    ),
    "OneHot": lambda op, x: op.OneHot(np.array([1, -1]), 3, x[0, 0, :2]),
    "PRelu": lambda op, x: op.PRelu(x, np.array(0.25)),
}
"""Calls with more than one input."""


def test_every_formula_has_a_row() -> None:
    assert DOUBLE.keys() - EXPECTED.keys() == set()


@pytest.mark.parametrize("op_type", EXPECTED)
def test_saved_in_float64(op_type: str) -> None:
    x = ARGUMENTS.get(op_type, X)
    b = og.Builder(op_type)
    given = b.input("x", "float64", x.shape)
    call = CALLS.get(op_type)
    settings = SETTINGS.get(op_type, {})
    b.output(call(b.op, given) if call else getattr(b.op, op_type)(given, **settings), "y")
    graph = b.build()
    session: Any = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    expected = EXPECTED[op_type](x)
    for y in (session.run(None, {"x": x})[0], og.compile(graph, "onnxruntime").run({"x": x})["y"]):
        assert y.dtype == np.float64
        np.testing.assert_allclose(y, expected, rtol=1e-7, atol=1e-14)  # 1 + e⁻³⁰ is rounded, × 30


@pytest.mark.parametrize("op_type", ["Softplus", "Elu", "Selu", "Mish", "Softsign", "HardSwish"])
def test_saved_gradients_in_float64(op_type: str) -> None:
    b = og.Builder(op_type)
    b.output(getattr(b.op, op_type)(b.input("x", "float64", (3,))), "y")
    graph = og.vjp(b.build(), "y", "x")
    session: Any = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    x, step = np.array([-1.2, 0.3, 2.0]), 1e-6
    _, found = session.run(None, {"x": x, "y.grad": np.ones(3)})
    slope = (EXPECTED[op_type](x + step) - EXPECTED[op_type](x - step)) / (2 * step)
    np.testing.assert_allclose(found, slope, rtol=1e-6)
