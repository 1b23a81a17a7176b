"""Gradients of activation functions; at a kink the value of the flatter side is taken.

Formulas that could overflow are written so that they cannot: what a Where discards would turn
second derivatives into NaN.
"""

from math import pi, sqrt

from ..differentiation.rules import Entries, composite_gradient, gradient
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@gradient("Relu")
def relu(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx max(x, 0) = 1 where y > 0, else 0; see the composite ReluGrad"""
    y = node.output()
    return op.composite("ReluGrad", dy, y, types=[y.type])


@composite_gradient("ReluGrad")
def relu_grad(op: Ops, node: Node, dy: Value) -> Entries:
    """Linear in its first input, with the same mask"""
    _, y = node.required(2)
    return op.composite("ReluGrad", dy, y, types=[y.type]), None


@gradient("LeakyRelu")
def leaky_relu(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx = 1 where x ≥ 0, else alpha"""
    (x,) = node.inputs
    return op.Where(op.Less(x, 0.0), op.Mul(dy, attribute(node, "alpha")), dy)


@gradient("PRelu", broadcasts=True)
def prelu(op: Ops, node: Node, dy: Value) -> Entries:
    """y = slope·x where x < 0: dx = slope·dy and dslope = x·dy there, dx = dy elsewhere"""
    x, slope = node.inputs
    negative = op.Less(x, 0.0)
    dx = op.Where(negative, op.Mul(dy, slope), dy)
    return dx, op.Where(negative, op.Mul(dy, x), 0.0)


@gradient("ThresholdedRelu")
def thresholded_relu(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx = 1 where x > alpha, else 0"""
    return op.Where(op.Greater(node.inputs[0], attribute(node, "alpha")), dy, 0.0)


@gradient("Elu", widens=True)
def elu(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx alpha(eˣ − 1) = alpha·eˣ where x ≤ 0, else 1"""
    return _exponential_branch(op, node, op.Mul(dy, attribute(node, "alpha")), 1.0, dy)


@gradient("Celu", widens=True)
def celu(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx alpha(e^(x/alpha) − 1) = e^(x/alpha) where x ≤ 0, else 1"""
    return _exponential_branch(op, node, dy, 1 / attribute(node, "alpha"), dy)


@gradient("Selu", widens=True)
def selu(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx gamma·alpha(eˣ − 1) = gamma·alpha·eˣ where x ≤ 0, else gamma"""
    right = op.Mul(dy, attribute(node, "gamma"))
    return _exponential_branch(op, node, op.Mul(right, attribute(node, "alpha")), 1.0, right)


def _exponential_branch(op: Ops, node: Node, left: Value, rate: float, right: Value) -> Value:
    """Give `right` where x is positive, else left·e^(rate·x).

    Not by y: near −alpha it has lost what of eˣ there was. The exponent never is positive, for an
    infinity that a Where discards would turn second derivatives into NaN.
    """
    (x,) = node.required(1)
    low = op.Min(x, 0.0)
    power = op.Exp(low if rate == 1 else op.Mul(low, rate))
    return op.Where(op.Greater(x, 0.0), right, op.Mul(left, power))


@gradient("Shrink")
def shrink(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx = 1 where |x| > lambd, else 0; bias only shifts"""
    if attribute(node, "lambd") <= 0:  # nothing is cut, not even x = 0
        return dy
    outside = op.Greater(op.Abs(node.inputs[0]), attribute(node, "lambd"))
    return op.Where(outside, dy, 0.0)


@gradient("HardSigmoid")
def hard_sigmoid(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx = alpha where 0 < y < 1, else 0"""
    (y,) = node.outputs
    inside = op.And(op.Greater(y, 0.0), op.Less(y, 1.0))
    return op.Where(inside, op.Mul(dy, attribute(node, "alpha")), 0.0)


@gradient("HardSwish", widens=True)
def hard_swish(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx x(x/6 + ½) = x/3 + ½ where |x| < 3, else 0 on the left and 1 on the right"""
    (x,) = node.inputs
    middle = op.Mul(dy, op.Add(op.Mul(x, 1 / 3), 0.5))
    right = op.Where(op.Greater(x, 0.0), dy, 0.0)
    return op.Where(op.Less(op.Abs(x), 3.0), middle, right)


@gradient("Sigmoid", widens=True)
def sigmoid(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx σ(x) = σ(x)(1 − σ(x))"""
    (y,) = node.outputs
    return op.Mul(dy, op.Mul(y, op.Sub(1.0, y)))


@gradient("Swish", widens=True)
def swish(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx x·σ(αx), see _swish_slope"""
    (x,) = node.required(1)
    _, slope = _swish_slope(op, x, attribute(node, "alpha"))
    return op.Mul(dy, slope)


@gradient("SwiGLU", widens=True, broadcasts=True)
def swiglu(op: Ops, node: Node, dy: Value) -> Entries:
    """y = a·σ(αa)·b: a product of Swish(a) and b"""
    a, b = node.required(2)
    gate, slope = _swish_slope(op, a, attribute(node, "alpha"))
    return op.Mul(op.Mul(dy, b), slope), op.Mul(dy, gate)


def _swish_slope(op: Ops, x: Value, alpha: float) -> tuple[Value, Value]:
    """Give x·s and its derivative s + αx·s(1 − s), where s = σ(αx)."""
    scaled = x if alpha == 1 else op.Mul(x, alpha)
    s = op.Sigmoid(scaled)
    slope = op.Mul(s, op.Add(op.Mul(scaled, op.Sub(1.0, s)), 1.0))
    return op.Mul(x, s), slope


@gradient("Softplus", widens=True)
def softplus(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx ln(1 + eˣ) = σ(x)"""
    return op.Mul(dy, op.Sigmoid(node.inputs[0]))


@gradient("Softsign", widens=True)
def softsign(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx x/(1 + |x|) = 1/(1 + |x|)²"""
    below = op.Add(op.Abs(node.inputs[0]), 1.0)
    return op.Div(op.Div(dy, below), below)


@gradient("Tanh", widens=True)
def tanh(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx tanh x = 1 − tanh²x"""
    (y,) = node.outputs
    return op.Mul(dy, op.Sub(1.0, op.Mul(y, y)))


@gradient("Mish", widens=True)
def mish(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx x·t = t + x(1 − t²)σ(x), where t = tanh(ln(1 + eˣ))"""
    (x,) = node.inputs
    t = op.Tanh(op.Softplus(x))
    bend = op.Mul(op.Sub(1.0, op.Mul(t, t)), op.Sigmoid(x))
    return op.Mul(dy, op.Add(t, op.Mul(x, bend)))


@gradient("Erf", widens=True)
def erf(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx erf(x) = 2/√π · e^(−x²)"""
    (x,) = node.inputs
    return op.Mul(dy, op.Mul(op.Exp(op.Neg(op.Mul(x, x))), 2 / sqrt(pi)))


@gradient("Gelu", widens=True)
def gelu(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx x·Φ(x) = Φ(x) + x·φ(x), see the composite GeluGrad"""
    (x,) = node.required(1)
    approximate = attribute(node, "approximate")
    return op.composite("GeluGrad", dy, x, types=[x.type], approximate=approximate)
