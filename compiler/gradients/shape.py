"""Gradients of operators that only move elements."""

from ..ir import Node, Value
from ..ops import Ops
from .registry import Entries, gradient


@gradient("Reshape", "Squeeze", "Unsqueeze", "Flatten")
def reshape(op: Ops, node: Node, dy: Value) -> Entries:
    """The same elements in the shape of x: dx = Reshape(dy, Shape(x))"""
    dx = op.Reshape(dy, op.Shape(node.inputs[0]), allowzero=1)
    return dx, *(None for _ in node.inputs[1:])


@gradient("Transpose")
def transpose(op: Ops, node: Node, dy: Value) -> Entries:
    """The inverse permutation; without perm the axes are reversed, which is its own inverse."""
    perm = node.attributes.get("perm")
    inverse = None if perm is None else sorted(range(len(perm)), key=perm.__getitem__)
    return op.Transpose(dy, perm=inverse)


@gradient("Expand", broadcasts=True)
def expand(op: Ops, node: Node, dy: Value) -> Entries:
    """A broadcast: dx is the sum over the axes that it stretched"""
    return dy, None
