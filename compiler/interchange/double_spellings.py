"""Operators in float64 said in those that onnxruntime has float64 kernels for; nothing is rounded.

onnxruntime 1.32 has kernels of these operators for float32 alone and would not load the file, or
rounds to float32 on the way: Shrink its results, Gelu its constants.
"""

from collections.abc import Callable

import numpy as np

from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..graph.ir import Node, Value
from ..graph.types import TensorType
from ..standard.schemas import attribute

Formula = Callable[[Ops, Node, Value], Value]
"""Emits what an operator gives for its first input."""


def _exp_minus_one(op: Ops, x: Value) -> Value:
    """Give eˣ − 1 where x is negative, 0 elsewhere."""
    return op.Sub(op.Exp(op.Min(x, 0.0)), 1.0)


def _elu(op: Ops, node: Node, x: Value) -> Value:
    """x for x > 0, else α(eˣ − 1)"""
    return op.Where(op.Greater(x, 0.0), x, op.Mul(_exp_minus_one(op, x), attribute(node, "alpha")))


def _selu(op: Ops, node: Node, x: Value) -> Value:
    """γ times x for x > 0, else α(eˣ − 1)"""
    return op.Mul(_elu(op, node, x), attribute(node, "gamma"))


def _hard_sigmoid(op: Ops, node: Node, x: Value) -> Value:
    """αx + β, from 0 to 1"""
    line = op.Add(op.Mul(x, attribute(node, "alpha")), attribute(node, "beta"))
    return op.Max(op.Min(line, 1.0), 0.0)


def _softplus(op: Ops, node: Node, x: Value) -> Value:
    """log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|), which cannot overflow"""
    return op.Add(op.Max(x, 0.0), op.Log(op.Add(op.Exp(op.Neg(op.Abs(x))), 1.0)))


def _hard_swish(op: Ops, node: Node, x: Value) -> Value:
    """x times x/6 + 1/2, from 0 to 1"""
    return op.Mul(x, op.Max(op.Min(op.Add(op.Div(x, 6.0), 0.5), 1.0), 0.0))


def _mish(op: Ops, node: Node, x: Value) -> Value:
    """x·tanh(log(1 + eˣ))"""
    return op.Mul(x, op.Tanh(_softplus(op, node, x)))


def _softsign(op: Ops, node: Node, x: Value) -> Value:
    """x/(1 + |x|)"""
    return op.Div(x, op.Add(op.Abs(x), 1.0))


def _leaky_relu(op: Ops, node: Node, x: Value) -> Value:
    """x, times α where it is negative"""
    return op.Where(op.Less(x, 0.0), op.Mul(x, attribute(node, "alpha")), x)


def _prelu(op: Ops, node: Node, x: Value) -> Value:
    """x, times the slope where it is negative"""
    return op.Where(op.Less(x, 0.0), op.Mul(x, node.inputs[1]), x)


def _thresholded_relu(op: Ops, node: Node, x: Value) -> Value:
    """x where it is above α, else 0"""
    return op.Where(op.Greater(x, attribute(node, "alpha")), x, op.like(0, x))


def _shrink(op: Ops, node: Node, x: Value) -> Value:
    """x + bias below −λ, x − bias above λ, else 0"""
    bias, limit = attribute(node, "bias"), attribute(node, "lambd")
    above = op.Where(op.Greater(x, limit), op.Sub(x, bias), op.like(0, x))
    return op.Where(op.Less(x, -limit), op.Add(x, bias), above)


def _gelu(op: Ops, node: Node, x: Value) -> Value:
    """x/2 times 1 + tanh(√(2/π)·(x + 0.044715x³))"""
    cube = op.Mul(op.Mul(op.Mul(x, x), x), 0.044715)
    bend = op.Tanh(op.Mul(op.Add(x, cube), np.sqrt(2 / np.pi)))
    return op.Mul(op.Mul(x, 0.5), op.Add(bend, 1.0))


def _tan(op: Ops, node: Node, x: Value) -> Value:
    """sin x/cos x"""
    return op.Div(op.Sin(x), op.Cos(x))


def _cosh(op: Ops, node: Node, x: Value) -> Value:
    """(eˣ + e⁻ˣ)/2"""
    half = op.Exp(op.Sub(op.Abs(x), np.log(2)))  # overflows no sooner than the result
    return op.Add(half, op.Div(0.25, half))


def _sinh(op: Ops, node: Node, x: Value) -> Value:
    """tanh x · cosh x, which cancels nothing near 0"""
    return op.Mul(op.Tanh(x), _cosh(op, node, x))


def _mean(op: Ops, node: Node, x: Value) -> Value:
    """The sum over the number of inputs"""
    return op.Div(op.Sum(*node.inputs), float(len(node.inputs)))


def _mean_variance_normalization(op: Ops, node: Node, x: Value) -> Value:
    """(x − mean)/(√variance + 10⁻⁹)"""
    axes = attribute(node, "axes")
    centred = op.Sub(x, op.ReduceMean(x, axes))
    deviation = op.Sqrt(op.ReduceMean(op.Mul(centred, centred), axes))
    return op.Div(centred, op.Add(deviation, 1e-9))


def _global_average_pool(op: Ops, node: Node, x: Value) -> Value:
    """The mean over all axes but batch and channels"""
    return op.ReduceMean(x, list(range(2, x.rank or 2)))


def _global_max_pool(op: Ops, node: Node, x: Value) -> Value:
    """The largest over all axes but batch and channels"""
    return op.ReduceMax(x, list(range(2, x.rank or 2)))


DOUBLE: dict[str, Formula] = {
    "Cosh": _cosh,
    "Elu": _elu,
    "Gelu": _gelu,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky_relu,
    "Mean": _mean,
    "MeanVarianceNormalization": _mean_variance_normalization,
    "Mish": _mish,
    "PRelu": _prelu,
    "Selu": _selu,
    "Shrink": _shrink,
    "Sinh": _sinh,
    "Softplus": _softplus,
    "Softsign": _softsign,
    "Tan": _tan,
    "ThresholdedRelu": _thresholded_relu,
}
"""For each operator its formula."""


def is_said_in_double(node: Node) -> bool:
    """Tell whether a node is written by a formula of this file."""
    x = node.inputs[0] if node.inputs else None
    if node.domain or node.op_type not in DOUBLE or x is None:
        return False
    if not isinstance(x.type, TensorType) or x.dtype != np.float64:
        return False
    if node.op_type == "Gelu" and attribute(node, "approximate") != "tanh":
        return False  # it needs Erf, which has no kernel either
    return x.rank is not None and (not node.op_type.startswith("Global") or x.rank > 2)


def say_in_double(op: Ops, node: Node) -> None:
    """Replace a node by its formula, in place."""
    put_in_place(op, node, [DOUBLE[node.op_type](op, node, node.first_input)])
