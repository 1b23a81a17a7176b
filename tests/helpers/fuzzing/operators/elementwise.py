"""Elementwise operators of one tensor: arithmetic, activations, trigonometry."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..operator import Operator, f32, register
from ..program import Array
from ..scope import Scope
from .special import erf, sigmoid

Settings = Callable[[Scope], dict[str, Any]]


def unary(
    name: str,
    forward: Callable[..., Any],
    distance: Callable[..., Any] | None = None,
    settings: Settings | None = None,
    weight: float = 0.6,
) -> Operator:
    """Describe an elementwise operator of one float tensor."""

    def draw(s: Scope) -> None:
        s.call(name, [s.pick()], **(settings(s) if settings else {}))

    return Operator(name, draw, forward, distance, weight=weight)


def some(**options: Any) -> Settings:
    """Draw each attribute from its options, or leave it to its default."""

    def settings(s: Scope) -> dict[str, Any]:
        return {name: s.choice(found) for name, found in options.items() if s.chance(0.6)}

    return settings


def _gelu(x: Array, approximate: str = "none") -> Array:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def _leaky(x: Array, alpha: float = f32(0.01)) -> Array:
    return np.where(x < 0, alpha * x, x)


def _elu(x: Array, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _selu(
    x: Array,
    alpha: float = f32(1.67326319217681884765625),
    gamma: float = f32(1.05070102214813232421875),
) -> Array:
    return gamma * _elu(x, alpha)


def _celu(x: Array, alpha: float = 1.0) -> Array:
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(x / alpha))


def _hard_sigmoid(x: Array, alpha: float = f32(0.2), beta: float = 0.5) -> Array:
    return np.clip(alpha * x + beta, 0, 1)


def _hard_sigmoid_distance(x: Array, alpha: float = f32(0.2), beta: float = 0.5) -> Array:
    return np.minimum(np.abs(alpha * x + beta), np.abs(alpha * x + beta - 1)) / alpha


def _shrink(x: Array, bias: float = 0.0, lambd: float = 0.5) -> Array:
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0.0))


def _mish(x: Array) -> Array:
    return x * np.tanh(np.logaddexp(0, x))


def _from_zero(x: Array, **_: Any) -> Array:
    return np.abs(x)


def _from_whole(x: Array) -> Array:
    return np.abs(x - np.round(x))


def _from_half(x: Array) -> Array:
    return np.abs(x - np.floor(x) - 0.5)


register(
    unary("Neg", np.negative),
    unary("Identity", np.array),
    unary("Abs", np.abs, _from_zero),
    unary("Sqrt", np.sqrt, lambda x: x / 10),
    unary("Reciprocal", np.reciprocal, lambda x: np.abs(x) / 10),
    unary("Exp", np.exp),
    unary("Log", np.log, lambda x: x / 10),
    unary("Sin", np.sin),
    unary("Cos", np.cos),
    unary("Tan", np.tan, lambda x: np.abs(np.cos(x)) / 10),
    unary("Asin", np.arcsin, lambda x: (1 - np.abs(x)) / 5),
    unary("Acos", np.arccos, lambda x: (1 - np.abs(x)) / 5),
    unary("Atan", np.arctan),
    unary("Sinh", np.sinh),
    unary("Cosh", np.cosh),
    unary("Asinh", np.arcsinh),
    unary("Acosh", np.arccosh, lambda x: (x - 1) / 5),
    unary("Atanh", np.arctanh, lambda x: (1 - np.abs(x)) / 5),
    unary("Tanh", np.tanh, weight=1.5),
    unary("Sigmoid", sigmoid, weight=1.0),
    unary("Erf", erf),
    unary("Softplus", lambda x: np.logaddexp(0, x)),
    unary("Softsign", lambda x: x / (1 + np.abs(x)), _from_zero),
    unary("Relu", lambda x: np.maximum(x, 0), _from_zero, weight=1.0),
    unary(
        "LeakyRelu",
        _leaky,
        _from_zero,
        some(alpha=[0.125, 0.5, 2.0]),
    ),
    unary("Elu", _elu, _from_zero, some(alpha=[0.5, 2.0])),
    unary("Selu", _selu, _from_zero, some(alpha=[0.5, 2.0], gamma=[0.5, 1.5])),
    unary("Celu", _celu, _from_zero, some(alpha=[0.5, 2.0])),
    unary(
        "ThresholdedRelu",
        lambda x, alpha=1.0: np.where(x > alpha, x, 0.0),
        lambda x, alpha=1.0: np.abs(x - alpha),
        some(alpha=[0.25, 0.5]),
    ),
    unary("HardSigmoid", _hard_sigmoid, _hard_sigmoid_distance, some(alpha=[0.375], beta=[0.25])),
    unary(
        "HardSwish",
        lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        lambda x: np.abs(np.abs(x) - 3),
    ),
    unary("Mish", _mish),
    unary("Gelu", _gelu, settings=some(approximate=["tanh", "none"]), weight=1.0),
    unary("Swish", lambda x, alpha=1.0: x * sigmoid(alpha * x), settings=some(alpha=[0.5, 2.0])),
    unary(
        "Shrink",
        _shrink,
        lambda x, bias=0.0, lambd=0.5: np.abs(np.abs(x) - lambd),
        some(bias=[0.1875], lambd=[0.25]),
    ),
    unary("Sign", np.sign, _from_zero, weight=0.2),
    unary("Floor", np.floor, _from_whole, weight=0.2),
    unary("Ceil", np.ceil, _from_whole, weight=0.2),
    unary("Round", np.round, _from_half, weight=0.2),
    unary("IsNaN", np.isnan, weight=0.2),
    unary("IsInf", np.isinf, weight=0.1),
)
