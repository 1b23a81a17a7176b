"""Bodies of the gradients of activations that backends run as one kernel."""

from math import pi, sqrt

from ..emission.masking import masked
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..standard.schemas import attribute
from .registry import form


@form("ReluGrad")
def relu_grad(op: Ops, node: Node) -> Value:
    """dx = dy, but 0 where y ≤ 0; right for an infinite dy, and a NaN of y lets dy through."""
    dy, y = node.inputs
    return op.Where(op.LessOrEqual(y, 0.0), 0.0, dy)


@form("ReluGrad", "guarded")
def relu_grad_guarded(op: Ops, node: Node) -> Value:
    """dx = dy·[y > 0] where all of dy is finite, else as in the default form."""
    dy, y = node.required(2)

    def mask(inner: Ops) -> Value:
        return inner.Not(inner.LessOrEqual(y, 0.0))

    return masked(op, dy, mask, lambda inner: relu_grad(inner, node))


@form("ReluGrad", "product")
def relu_grad_product(op: Ops, node: Node) -> Value:
    """dx = dy·[y > 0]: faster in onnxruntime, but NaN for an infinite dy at y = 0."""
    dy, y = node.required(2)
    return op.Mul(dy, op.Cast(op.Greater(y, 0.0), to=dy.dtype))


@form("GeluGrad")
def gelu_grad(op: Ops, node: Node) -> Value:
    """dx = dy·(Φ(x) + x·φ(x)), or the derivative of the tanh approximation.

    Φ(x) = ½(1 + erf(x/√2)) and φ(x) = e^(−x²/2)/√(2π). With u = √(2/π)(x + 0.044715x³) and
    t = tanh u, the approximation ½x(1 + t) has the derivative
    ½(1 + t) + ½x(1 − t²)·√(2/π)(1 + 3·0.044715x²). Beyond ±16, where t is ±1 to the last digit of
    float64, x stands still, so that no power of it overflows.
    """
    dy, x = node.required(2)
    half = op.like(0.5, x)
    if attribute(node, "approximate") == "tanh":
        x = op.Clip(x, op.like(-16, x), op.like(16, x))
        square = op.Mul(x, x)
        cubic = op.Mul(op.Add(op.Mul(square, 0.044715), 1.0), x)
        tanh = op.Tanh(op.Mul(cubic, sqrt(2 / pi)))
        slope = op.Mul(op.Add(op.Mul(square, 3 * 0.044715), 1.0), sqrt(2 / pi))
        bend = op.Mul(op.Mul(x, op.Sub(1.0, op.Mul(tanh, tanh))), slope)
        return _scaled(op, dy, op.Mul(half, op.Add(op.Add(tanh, 1.0), bend)))
    cdf = op.Mul(half, op.Add(op.Erf(op.Mul(x, 1 / sqrt(2))), 1.0))
    pdf = op.Mul(op.Exp(op.Mul(op.Mul(x, x), -0.5)), 1 / sqrt(2 * pi))
    return _scaled(op, dy, op.Add(cdf, op.Mul(x, pdf)))


def _scaled(op: Ops, dy: Value, slope: Value) -> Value:
    return op.Mul(dy, slope)
