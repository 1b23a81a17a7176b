"""Bodies of the gradients of the softmax and its logarithm."""

from ..emission.accumulation import accumulate
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from .registry import form


@form("SoftmaxGrad")
def softmax_grad(op: Ops, node: Node) -> Value:
    """dx = y·(dy − Σ dy·y)"""
    dy, y = node.inputs
    total = accumulate(op, op.Mul(dy, y), [node.attributes["axis"]], keepdims=1)
    return op.Mul(y, op.Sub(dy, total))


@form("LogSoftmaxGrad")
def log_softmax_grad(op: Ops, node: Node) -> Value:
    """dx = dy − eʸ·Σ dy"""
    dy, y = node.required(2)
    total = accumulate(op, dy, [node.attributes["axis"]], keepdims=1)
    return op.Sub(dy, op.Mul(op.Exp(y), total))
