"""Bodies of the composites that pass a tensor on and have another derivative than it."""

from ..emission.ops import Ops
from ..graph.ir import Node, Value
from .registry import form


@form("StopGradient")
def stop_gradient(op: Ops, node: Node) -> Value:
    """The value itself; what differs is the derivative"""
    return op.Identity(node.first_input)


@form("ChosenGradient")
def chosen_gradient(op: Ops, node: Node) -> Value:
    """What an operator with a gradient of its user's gives; a file holds only its body"""
    return op.Identity(node.first_input)


@form("StraightThrough")
def straight_through(op: Ops, node: Node) -> Value:
    """Give the first input; the second, of the same type, only says how it changes."""
    return op.Identity(node.inputs[0])
