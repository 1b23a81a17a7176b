"""Body of the composite that takes one tensor's numbers and another one's derivative."""

from ..emission.ops import Ops
from ..graph.ir import Node, Value
from .registry import form


@form("StopGradient")
def stop_gradient(op: Ops, node: Node) -> Value:
    """The value itself; what differs is the derivative"""
    return op.Identity(node.first_input)


@form("StraightThrough")
def straight_through(op: Ops, node: Node) -> Value:
    """Give the first input; the second, of the same type, only says how it changes."""
    return op.Identity(node.inputs[0])
