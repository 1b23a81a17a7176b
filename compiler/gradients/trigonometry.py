"""Gradients of circular and hyperbolic functions and their inverses."""

from ..differentiation.rules import Entries, gradient
from ..emission.ops import Ops
from ..graph.ir import Node, Value


@gradient("Sin", widens=True)
def sine(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx sin x = cos x"""
    return op.Mul(dy, op.Cos(node.inputs[0]))


@gradient("Cos", widens=True)
def cosine(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx cos x = −sin x"""
    return op.Neg(op.Mul(dy, op.Sin(node.inputs[0])))


@gradient("Tan", widens=True)
def tangent(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx tan x = 1 + tan²x"""
    (y,) = node.outputs
    return op.Mul(dy, op.Add(op.Mul(y, y), 1.0))


@gradient("Asin", widens=True)
def arc_sine(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx asin x = 1/√(1 − x²)"""
    return op.Div(dy, op.Sqrt(_one_minus_square(op, node.inputs[0])))


@gradient("Acos", widens=True)
def arc_cosine(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx acos x = −1/√(1 − x²)"""
    return op.Neg(op.Div(dy, op.Sqrt(_one_minus_square(op, node.inputs[0]))))


@gradient("Atan", widens=True)
def arc_tangent(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx atan x = 1/(1 + x²)"""
    (x,) = node.inputs
    return op.Div(dy, op.Add(op.Mul(x, x), 1.0))


@gradient("Sinh", widens=True)
def hyperbolic_sine(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx sinh x = cosh x"""
    return op.Mul(dy, op.Cosh(node.inputs[0]))


@gradient("Cosh", widens=True)
def hyperbolic_cosine(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx cosh x = sinh x"""
    return op.Mul(dy, op.Sinh(node.inputs[0]))


@gradient("Asinh", widens=True)
def area_hyperbolic_sine(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx asinh x = 1/√(x² + 1) = 1/cosh y, which squares nothing and so cannot overflow"""
    return op.Div(dy, op.Cosh(node.outputs[0]))


@gradient("Acosh", widens=True)
def area_hyperbolic_cosine(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx acosh x = 1/√(x² − 1) = 1/sinh y, which squares nothing and so cannot overflow"""
    return op.Div(dy, op.Sinh(node.outputs[0]))


@gradient("Atanh", widens=True)
def area_hyperbolic_tangent(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx atanh x = 1/(1 − x²)"""
    return op.Div(dy, _one_minus_square(op, node.inputs[0]))


def _one_minus_square(op: Ops, x: Value | None) -> Value:
    """Give 1 − x² as (1 − x)(1 + x), which is exact to the last digits near ±1."""
    return op.Mul(op.Sub(1.0, x), op.Add(x, 1.0))
