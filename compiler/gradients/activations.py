"""Gradients of activation functions."""

from math import pi, sqrt

from ..ir import Node, Value
from ..ops import Ops
from .registry import Entries, gradient


@gradient("Erf")
def erf(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx erf(x) = 2/√π · e^(−x²)"""
    (x,) = node.inputs
    return op.Mul(dy, op.Mul(op.Exp(op.Neg(op.Mul(x, x))), 2 / sqrt(pi)))


@gradient("Gelu")
def gelu(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx x·Φ(x) = Φ(x) + x·φ(x), see the composite GeluGrad"""
    (x,) = node.inputs
    approximate = node.attributes.get("approximate", "none")
    assert x is not None
    return op.composite("GeluGrad", dy, x, types=[x.type], approximate=approximate)


@gradient("Tanh")
def tanh(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx tanh x = 1 − tanh²x"""
    (y,) = node.outputs
    return op.Mul(dy, op.Sub(1.0, op.Mul(y, y)))


@gradient("Sigmoid")
def sigmoid(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx σ(x) = σ(x)(1 − σ(x))"""
    (y,) = node.outputs
    return op.Mul(dy, op.Mul(y, op.Sub(1.0, y)))


@gradient("Softplus")
def softplus(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx ln(1 + eˣ) = σ(x)"""
    return op.Mul(dy, op.Sigmoid(node.inputs[0]))
