"""Apply a rule to a half-precision node as if all were float32; what it gives is rounded once.

In half precision the factors of a derivative overflow, vanish or cancel where their product is an
ordinary number: for tanh′(4) = 1 − tanh²(4) float16 has 0.00098 in place of 0.0013.
"""

from ..emission.accumulation import as_float32, is_half
from ..emission.ops import Ops
from ..graph.ir import Node


def reads_half(node: Node) -> bool:
    """Tell whether a node computes with float16 or bfloat16."""
    return any(v is not None and is_half(v) for v in node.inputs)


def in_float32(op: Ops, node: Node) -> Node:
    """Give a node of the same operator on float32; it is emitted, and dead unless y is read."""
    inputs = [None if v is None else as_float32(op, v) for v in node.inputs]
    outputs = op.emit_all(
        node.op_type, *inputs, outputs=len(node.outputs), domain=node.domain, **node.attributes
    )
    return Node(node.op_type, tuple(inputs), outputs, node.attributes, node.domain, node.name)
