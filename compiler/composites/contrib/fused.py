"""Activations that onnxruntime fuses into what stands before them; no operator's body is here."""

from typing import Any

from ...emission.ops import Ops
from ...errors import UnsupportedOpError
from ...graph.ir import Node, Value

_CONVOLUTION: dict[str, tuple[str, ...]] = {
    "Relu": (),
    "Sigmoid": (),
    "Tanh": (),
    "LeakyRelu": ("alpha",),
    "Clip": ("min", "max"),
    "HardSigmoid": ("alpha", "beta"),
}
"""The activations of FusedConv and what `activation_params` holds for each."""


def activated(op: Ops, node: Node, y: Value) -> Value:
    """Give f(y), f as `activation` and `activation_params` say; y where there is none."""
    name = node.attributes.get("activation", "")
    if not name:
        return y
    if name not in _CONVOLUTION:
        raise UnsupportedOpError(f"its activation '{name}' is not known", [node.operator])
    given = node.attributes.get("activation_params") or []
    named = dict(zip(_CONVOLUTION[name], given, strict=False))
    if name == "Clip":
        return op.Clip(y, *(op.like(named[k], y) if k in named else None for k in ("min", "max")))
    result: Value = op.emit(name, y, **named)
    return result


def activated_by_name(op: Ops, node: Node, y: Value) -> Value:
    """Give f(y), f as `activation` and its numbers `activation_alpha`, `_beta` and `_gamma` say."""
    name = node.attributes.get("activation", "")
    if not name:
        return y
    given = {k: node.attributes.get(f"activation_{k}") for k in ("alpha", "beta", "gamma")}
    alpha, beta = given["alpha"], given["beta"]
    if name == "ScaledTanh":
        return scaled_tanh(op, y, alpha, beta)
    if name == "ParametricSoftplus":
        return parametric_softplus(op, y, alpha, beta)
    if name not in _NUMBERS:
        raise UnsupportedOpError(f"its activation '{name}' is not known", [node.operator])
    stated: dict[str, Any] = {k: given[k] for k in _NUMBERS[name] if given[k] is not None}
    result: Value = op.emit(name, y, **stated)
    return result


def scaled_tanh(op: Ops, x: Value, alpha: float | None, beta: float | None) -> Value:
    """α·tanh(β·x)"""
    inner = x if beta is None else op.Mul(x, beta)
    y: Value = op.Tanh(inner)
    return y if alpha is None else op.Mul(y, alpha)


def parametric_softplus(op: Ops, x: Value, alpha: float | None, beta: float | None) -> Value:
    """α·log(1 + e^(β·x))"""
    inner = x if beta is None else op.Mul(x, beta)
    y: Value = op.Softplus(inner)
    return y if alpha is None else op.Mul(y, alpha)


_NUMBERS: dict[str, tuple[str, ...]] = {
    "Celu": ("alpha",),
    "Elu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "LeakyRelu": ("alpha",),
    "Relu": (),
    "Selu": ("alpha", "gamma"),
    "Sigmoid": (),
    "Softplus": (),
    "Softsign": (),
    "Tanh": (),
    "ThresholdedRelu": ("alpha",),
}
"""The activations of FusedGemm and which of alpha, beta and gamma each takes."""
