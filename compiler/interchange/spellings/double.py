"""Operators in float64, written by those that onnxruntime has such kernels for; none rounds.

onnxruntime 1.32 has kernels of these operators for float32 alone and would not load the file, or
rounds to float32 on the way: Shrink its results, Gelu its constants.
"""

from collections.abc import Callable

import numpy as np

from ...emission.ops import Ops
from ...emission.replacing import put_in_place
from ...graph.ir import Node, Value
from ...graph.types import TensorType
from ...standard.schemas import attribute

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


def _log_of_one_plus(op: Ops, x: Value) -> Value:
    """log(1 + x) = x·log(w)/(w − 1) with w = 1 + x rounded, which cancels nothing near 0"""
    w = op.Add(x, 1.0)
    rest = op.Sub(w, 1.0)
    nothing = op.Equal(rest, 0.0)
    return op.Where(nothing, x, op.Mul(op.Log(w), op.Div(x, op.Where(nothing, 1.0, rest))))


def _asinh(op: Ops, node: Node, x: Value) -> Value:
    """sign x · log(1 + |x| + x²/(1 + √(x² + 1))), and log 2|x| where that is the same"""
    size = op.Abs(x)
    near = op.Min(size, _LARGE)
    square = op.Mul(near, near)
    part = op.Div(square, op.Add(op.Sqrt(op.Add(square, 1.0)), 1.0))
    small = _log_of_one_plus(op, op.Add(near, part))
    return op.Mul(op.Sign(x), _or_twice(op, size, small))


def _acosh(op: Ops, node: Node, x: Value) -> Value:
    """log(1 + u), u = x − 1 + √((x − 1)(x + 1)), and log 2x where that is the same"""
    near = op.Min(x, _LARGE)
    rest = op.Sub(near, 1.0)
    root = op.Sqrt(op.Mul(rest, op.Add(near, 1.0)))
    return _or_twice(op, x, _log_of_one_plus(op, op.Add(rest, root)))


def _or_twice(op: Ops, x: Value, near: Value) -> Value:
    far = op.Add(op.Log(op.Max(x, _LARGE)), np.log(2))
    return op.Where(op.Greater(x, _LARGE), far, near)


_LARGE = 2.0**30
"""Where x² + 1 is x² for float64, and far from where x² overflows."""


def _atanh(op: Ops, node: Node, x: Value) -> Value:
    """sign x · log(1 + 2|x|/(1 − |x|))/2"""
    size = op.Abs(x)
    inside = _log_of_one_plus(op, op.Div(op.Mul(size, 2.0), op.Sub(1.0, size)))
    return op.Mul(op.Sign(x), op.Mul(inside, 0.5))


def _mean(op: Ops, node: Node, x: Value) -> Value:
    """The sum over the number of inputs"""
    return op.Div(op.Sum(*node.inputs), float(len(node.inputs)))


def _global_average_pool(op: Ops, node: Node, x: Value) -> Value:
    """The mean over all axes but batch and channels"""
    return op.ReduceMean(x, list(range(2, x.rank or 2)))


def _global_max_pool(op: Ops, node: Node, x: Value) -> Value:
    """The largest over all axes but batch and channels"""
    return op.ReduceMax(x, list(range(2, x.rank or 2)))


def _global_lp_pool(op: Ops, node: Node, x: Value) -> Value:
    """(Σ |x|ᵖ)^(1/p) over all axes but batch and channels"""
    p, axes = float(attribute(node, "p")), list(range(2, x.rank or 2))
    total = op.ReduceSum(op.Pow(op.Abs(x), op.like(p, x)), axes)
    return op.Pow(total, op.like(1 / p, x))


def _instance_normalization(op: Ops, node: Node, x: Value) -> Value:
    """scale·(x − mean)/√(variance + ε) + bias, over all axes but batch and channels"""
    axes = list(range(2, x.rank or 2))
    scale, bias = (op.Unsqueeze(v, [a - 1 for a in axes]) if axes else v for v in node.inputs[1:3])
    centered = op.Sub(x, op.ReduceMean(x, axes))
    variance = op.ReduceMean(op.Mul(centered, centered), axes)
    deviation = op.Sqrt(op.Add(variance, attribute(node, "epsilon")))
    return op.Add(op.Mul(op.Div(centered, deviation), scale), bias)


def _one_hot(op: Ops, node: Node, x: Value) -> Value:
    """The second value where int64 has a one, else the first"""
    indices, depth, values = node.required(3)
    whole = op.Cast(indices, to="int64"), op.Cast(depth, to="int64")
    places = op.OneHot(*whole, np.array([0, 1]), axis=attribute(node, "axis"))
    off, on = op.Gather(values, 0), op.Gather(values, 1)
    return op.Where(op.Cast(places, to="bool"), on, off)


DOUBLE: dict[str, Formula] = {
    "Acosh": _acosh,
    "Asinh": _asinh,
    "Atanh": _atanh,
    "Cosh": _cosh,
    "Elu": _elu,
    "Gelu": _gelu,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "GlobalLpPool": _global_lp_pool,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "InstanceNormalization": _instance_normalization,
    "LeakyRelu": _leaky_relu,
    "Mean": _mean,
    "Mish": _mish,
    "OneHot": _one_hot,
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
    if node.domain or node.op_type not in DOUBLE or not node.inputs:
        return False
    x, y = node.inputs[0], node.outputs[0]
    if x is None or y is None or not isinstance(y.type, TensorType) or y.dtype != np.float64:
        return False
    if node.op_type == "Gelu" and attribute(node, "approximate") != "tanh":
        return False  # it needs Erf, which has no kernel either
    return x.rank is not None and (node.op_type not in _OVER_SPACE or x.rank > 2)


_OVER_SPACE = {"GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "InstanceNormalization"}
"""Their formulas name the axes after batch and channels."""


def say_in_double(op: Ops, node: Node) -> None:
    """Replace a node by its formula, in place."""
    put_in_place(op, node, [DOUBLE[node.op_type](op, node, node.first_input)])
