"""Elementwise operators as formulas of one element: the source of an expression in Python.

An expression names the elements that it reads, the functions of scalars.py and `number`, which
makes a number of the dtype at hand: numba computes `x * 0.5` in float64 whatever x is.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce

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
        names: the name of each input's element, as `number` or bool; omitted inputs have none.
    """
    function = FORMULAS.get((node.domain, node.op_type))
    if function is None or len(node.outputs) != 1 or _lacks_one(node):
        return None
    values = [v for v in (*node.inputs, *node.outputs) if v is not None]
    kinds = {dtype_of(v) for v in values if number_of(v) is None}
    floats = kinds - {np.dtype(bool)}
    if len(floats) > 1 or not floats <= {*DTYPES}:
        return None
    return function(node, *names)


def _lacks_one(node: Node) -> bool:
    return None in node.inputs and node.op_type != "Clip"


def dtype_of(value: Value) -> np.dtype:
    """Give the dtype of a tensor, that of objects for what is none: None would equal float64."""
    return value.type.dtype if isinstance(value.type, TensorType) else np.dtype(object)


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
    "Acos": "acos({0})",
    "Acosh": "acosh({0})",
    "Asin": "asin({0})",
    "Asinh": "asinh({0})",
    "Atan": "atan({0})",
    "Atanh": "atanh({0})",
    "Ceil": "ceil({0})",
    "Cos": "cos({0})",
    "Cosh": "cosh({0})",
    "Erf": "erf({0})",
    "Exp": "exp({0})",
    "Floor": "floor({0})",
    "Identity": "{0}",
    "IsNaN": "{0} != {0}",
    "Log": "log({0})",
    "Mish": "{0} * tanh(softplus({0}))",
    "Neg": "-{0}",
    "Not": "not {0}",
    "Reciprocal": "number(1) / {0}",
    "Relu": "number(0) if {0} <= number(0) else {0}",
    "Round": "rounded({0})",
    "Sigmoid": "number(1) / (number(1) + exp(-{0}))",
    "Sin": "sin({0})",
    "Sinh": "sinh({0})",
    "Softplus": "softplus({0})",
    "Softsign": "{0} / (number(1) + abs({0}))",
    "Sqrt": "sqrt({0})",
    "Tan": "tan({0})",
    "Tanh": "tanh({0})",
}.items():
    _unary(_op_type, _text)


@formula("Max")
def _max(node: Node, *names: str) -> str:
    """Take the largest; NaN goes through."""
    return _folded("larger({}, {})", names)


@formula("Min")
def _min(node: Node, *names: str) -> str:
    """Take the least; NaN goes through."""
    return _folded("smaller({}, {})", names)


@formula("Sum", "Mean")
def _sum(node: Node, *names: str) -> str:
    """Add up, or average."""
    total = " + ".join(names)
    return total if node.op_type == "Sum" else f"({total}) / {literal(len(names))}"


def _folded(text: str, names: Sequence[str]) -> str:
    return reduce(text.format, names)


@formula("Clip")
def _clip(node: Node, x: str, *bounds: str) -> str:
    """Limit; the upper bound wins where they cross."""
    signs = [text for k, text in ((1, "larger({}, {})"), (2, "smaller({}, {})")) if node.input(k)]
    for sign, bound in zip(signs, bounds, strict=True):
        x = sign.format(x, bound)
    return x


@formula("Sign")
def _sign_of(node: Node, x: str) -> str:
    """1, −1 or 0, and NaN"""
    other = f"number(0) if {x} == number(0) else {x}"
    return f"number(1) if {x} > number(0) else number(-1) if {x} < number(0) else {other}"


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


@formula("PRelu")
def _prelu(node: Node, x: str, slope: str) -> str:
    """x where it is positive and slope·x elsewhere"""
    return f"{x} if {x} >= number(0) else {slope} * {x}"


@formula("ThresholdedRelu")
def _thresholded_relu(node: Node, x: str) -> str:
    """x where it exceeds alpha and 0 elsewhere"""
    return f"{x} if {x} > {literal(attribute(node, 'alpha'))} else number(0)"


@formula("Elu")
def _elu(node: Node, x: str) -> str:
    """x where it is positive and alpha·(exp(x) - 1) elsewhere"""
    return f"{x} if {x} > number(0) else {literal(attribute(node, 'alpha'))} * expm1({x})"


@formula("Selu")
def _selu(node: Node, x: str) -> str:
    """gamma·x where x is positive and gamma·alpha·(exp(x) - 1) elsewhere"""
    return f"{literal(attribute(node, 'gamma'))} * ({_elu(node, x)})"


@formula("Celu")
def _celu(node: Node, x: str) -> str:
    """max(0, x) + min(0, alpha·(exp(x / alpha) - 1))"""
    alpha = literal(attribute(node, "alpha"))
    return f"larger({x}, number(0)) + smaller({alpha} * expm1({x} / {alpha}), number(0))"


@formula("HardSigmoid")
def _hard_sigmoid(node: Node, x: str) -> str:
    """alpha·x + beta, limited to 0 and 1"""
    return _to_one(x, attribute(node, "alpha"), attribute(node, "beta"))


@formula("HardSwish")
def _hard_swish(node: Node, x: str) -> str:
    """x times x / 6 + 0.5, limited to 0 and 1"""
    return f"{x} * {_to_one(x, 1 / 6, 0.5)}"


def _to_one(x: str, alpha: float, beta: float) -> str:
    line = f"{literal(alpha)} * {x} + {literal(beta)}"
    return f"smaller(larger({line}, number(0)), number(1))"


@formula("Shrink")
def _shrink(node: Node, x: str) -> str:
    """x moved by bias towards 0 outside of [-lambd, lambd]; 0 inside"""
    lambd, bias = attribute(node, "lambd"), literal(attribute(node, "bias"))
    above = f"{x} - {bias} if {x} > {literal(lambd)} else number(0)"
    return f"{x} + {bias} if {x} < {literal(-lambd)} else {above}"


@formula("Swish", "SwiGLU")
def _swish(node: Node, x: str, *others: str) -> str:
    """x·sigmoid(alpha·x), times another for SwiGLU"""
    slope = literal(-attribute(node, "alpha"))
    sigmoid = f"number(1) / (number(1) + exp({slope} * {x}))"
    return " * ".join([x, f"({sigmoid})", *others])


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
