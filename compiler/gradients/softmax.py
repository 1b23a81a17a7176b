"""Gradients of the softmax and its logarithm, to every order."""

from ..differentiation.rules import Entries, composite_gradient, gradient
from ..emission.accumulation import accumulate
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..standard.schemas import attribute


@gradient("Softmax")
def softmax(op: Ops, node: Node, dy: Value) -> Entries:
    """dx = y·(dy − Σ dy·y), see the composite SoftmaxGrad"""
    return _composite(op, "SoftmaxGrad", dy, node.output(), node)


@gradient("LogSoftmax")
def log_softmax(op: Ops, node: Node, dy: Value) -> Entries:
    """dx = dy − eʸ·Σ dy, see the composite LogSoftmaxGrad"""
    return _composite(op, "LogSoftmaxGrad", dy, node.output(), node)


@composite_gradient("SoftmaxGrad")
def softmax_grad(op: Ops, node: Node, du: Value) -> Entries:
    """u = y·(v − Σ v·y):  dv = y·(du − Σ du·y),  dy = du·(v − Σ v·y) − v·Σ du·y"""
    v, y = node.required(2)
    inner = op.Sub(v, _sum(op, op.Mul(v, y), node))
    dy = op.Sub(op.Mul(du, inner), op.Mul(v, _sum(op, op.Mul(du, y), node)))
    return _composite(op, "SoftmaxGrad", du, y, node), dy


@composite_gradient("LogSoftmaxGrad")
def log_softmax_grad(op: Ops, node: Node, du: Value) -> Entries:
    """u = v − eʸ·Σ v:  dv = du − Σ eʸ·du,  dy = −eʸ·du·Σ v"""
    v, y = node.required(2)
    weighted = op.Mul(op.Exp(y), du)
    return op.Sub(du, _sum(op, weighted, node)), op.Neg(op.Mul(weighted, _sum(op, v, node)))


def _composite(op: Ops, name: str, dy: Value, y: Value, node: Node) -> Value:
    axis = attribute(node, "axis")
    return op.composite(name, dy, y, types=[y.type], axis=axis)


def _sum(op: Ops, x: Value, node: Node) -> Value:
    return accumulate(op, x, [attribute(node, "axis")], keepdims=1)
