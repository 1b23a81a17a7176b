"""Elementwise operators as formulas of one element: the source of an expression in Python.

An expression names the elements that it reads, the functions of scalars.py and `number`, which
makes a number of the dtype at hand: numba computes `x * 0.5` in float64 whatever x is.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...compiler.graph.ir import Node, Value
from ...compiler.graph.types import TensorType
from ...compiler.opset import COMPOSITE_DOMAIN
from ...compiler.standard.schemas import attribute

Formula = Callable[..., str | None]
"""(node, the name of each input's element) → an expression; None: this call has none."""

FORMULAS: dict[tuple[str, str], Formula] = {}

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def formula(*op_types: str, domain: str = "") -> Callable[[Formula], Formula]:
    """Register a formula for the named operators."""

    def register(function: Formula) -> Formula:
        FORMULAS.update({(domain, op_type): function for op_type in op_types})
        return function

    return register


def expression(node: Node, names: Sequence[str]) -> str | None:
    """Give the formula of a node's only output; None where there is none for its operator or types.

    Args:
        node: its floats are all float32, or all float64; there may be booleans beside them.
        names: the name of each input's element, as `number` or bool.
    """
    function = FORMULAS.get((node.domain, node.op_type))
    if function is None or len(node.outputs) != 1 or None in node.inputs:
        return None
    values = [v for v in (*node.inputs, *node.outputs) if v is not None]
    kinds = {dtype_of(v) for v in values if number_of(v) is None}
    floats = kinds - {np.dtype(bool)}
    if len(floats) > 1 or not floats <= {*DTYPES}:
        return None
    return function(node, *names)


def dtype_of(value: Value) -> np.dtype | None:
    """Give the dtype of a tensor, None for what is none."""
    return value.type.dtype if isinstance(value.type, TensorType) else None


def number_of(value: Value) -> float | None:
    """Give the number that a value is known to be, None where it is none, or may be trained."""
    number = None if value.parameter else value.constant
    if number is None or number.size != 1 or number.dtype.kind not in "fiu":
        return None
    return float(number.item())


def literal(x: float) -> str:
    """Write a number; `inf` and `nan` are names."""
    return f"number({float(x)!r})"


def _binary(op_type: str, sign: str) -> None:
    formula(op_type)(lambda node, x, y: f"{x} {sign} {y}")


for _op_type, _sign in {
    "Add": "+",
    "Sub": "-",
    "Mul": "*",
    "Div": "/",
    "Equal": "==",
    "Greater": ">",
    "GreaterOrEqual": ">=",
    "Less": "<",
    "LessOrEqual": "<=",
    "And": "and",
    "Or": "or",
    "Xor": "!=",
}.items():
    _binary(_op_type, _sign)


def _unary(op_type: str, text: str) -> None:
    formula(op_type)(lambda node, x: text.format(x))


for _op_type, _text in {
    "Abs": "abs({0})",
    "Cos": "cos({0})",
    "Erf": "erf({0})",
    "Exp": "exp({0})",
    "Identity": "{0}",
    "Log": "log({0})",
    "Neg": "-{0}",
    "Not": "not {0}",
    "Reciprocal": "number(1) / {0}",
    "Relu": "number(0) if {0} <= number(0) else {0}",
    "Sigmoid": "number(1) / (number(1) + exp(-{0}))",
    "Sin": "sin({0})",
    "Softplus": "softplus({0})",
    "Softsign": "{0} / (number(1) + abs({0}))",
    "Sqrt": "sqrt({0})",
    "Tanh": "tanh({0})",
}.items():
    _unary(_op_type, _text)


@formula("Max")
def _max(node: Node, first: str, *others: str) -> str:
    """Take the largest; NaN goes through."""
    text = first
    for other in others:
        text = f"larger({text}, {other})"
    return text


@formula("Min")
def _min(node: Node, first: str, *others: str) -> str:
    """Take the least; NaN goes through."""
    text = first
    for other in others:
        text = f"smaller({text}, {other})"
    return text


@formula("Where")
def _where(node: Node, condition: str, x: str, y: str) -> str:
    """Choose."""
    return f"{x} if {condition} else {y}"


@formula("Pow")
def _pow(node: Node, x: str, y: str) -> str:
    """Raise to a power; to 2 and 3, where that is known, by products."""
    known = number_of(node.required(2)[1])
    if known in (2, 3):
        return " * ".join([x] * int(known))
    return f"power({x}, {y})"


@formula("LeakyRelu")
def _leaky_relu(node: Node, x: str) -> str:
    """x where it is positive and alpha·x elsewhere"""
    return f"{x} if {x} >= number(0) else {literal(attribute(node, 'alpha'))} * {x}"


@formula("Gelu")
def _gelu(node: Node, x: str) -> str:
    """x·Φ(x), or its approximation"""
    if attribute(node, "approximate") == "tanh":
        return f"{x} * (number(0.5) * (number(1) + tanh({_gelu_inner(x)})))"
    return f"{x} * gaussian_cdf({x})"


@formula("GeluGrad", domain=COMPOSITE_DOMAIN)
def _gelu_grad(node: Node, dy: str, x: str) -> str | None:
    """dy·(Φ(x) + x·φ(x)), with φ the normal density"""
    if attribute(node, "approximate") == "tanh":
        return None
    scale = literal(1 / math.sqrt(2 * math.pi))
    return f"{dy} * (gaussian_cdf({x}) + {x} * ({scale} * exp(number(-0.5) * ({x} * {x}))))"


@formula("ReluGrad", domain=COMPOSITE_DOMAIN)
def _relu_grad(node: Node, dy: str, y: str) -> str:
    """dy, but 0 where y <= 0"""
    return f"number(0) if {y} <= number(0) else {dy}"


def _gelu_inner(x: str) -> str:
    scale = math.sqrt(2 / math.pi)
    return f"{x} * ({literal(scale)} + {literal(scale * 0.044715)} * {x} * {x})"
