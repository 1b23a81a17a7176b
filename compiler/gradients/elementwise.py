"""Gradients of elementwise arithmetic; broadcasting is undone by the engine."""

from ..ir import Node, Value
from ..ops import Ops
from .registry import Entries, gradient


@gradient("Add", broadcasts=True)
def add(op: Ops, node: Node, dy: Value) -> Entries:
    """d(a + b) = da + db"""
    return dy, dy


@gradient("Sub", broadcasts=True)
def subtract(op: Ops, node: Node, dy: Value) -> Entries:
    """d(a − b) = da − db"""
    return dy, op.Neg(dy)


@gradient("Mul", broadcasts=True)
def multiply(op: Ops, node: Node, dy: Value) -> Entries:
    """d(a·b) = b·da + a·db"""
    a, b = node.inputs
    return op.Mul(dy, b), op.Mul(dy, a)


@gradient("Div", broadcasts=True)
def divide(op: Ops, node: Node, dy: Value) -> Entries:
    """d(a/b) = da/b − (a/b)/b·db"""
    _, b = node.inputs
    (y,) = node.outputs
    da = op.Div(dy, b)
    return da, op.Neg(op.Mul(da, y))


@gradient("Neg")
def negate(op: Ops, node: Node, dy: Value) -> Entries:
    """d(−x) = −dx"""
    return op.Neg(dy)


@gradient("Exp")
def exponential(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx eˣ = eˣ"""
    return op.Mul(dy, node.outputs[0])


@gradient("Log")
def logarithm(op: Ops, node: Node, dy: Value) -> Entries:
    """d/dx ln x = 1/x"""
    return op.Div(dy, node.inputs[0])


@gradient("Identity")
def identity(op: Ops, node: Node, dy: Value) -> Entries:
    """dx = dy"""
    return dy
