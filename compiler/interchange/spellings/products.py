"""How MatMul is written so that onnxruntime 1.32 may fuse it with a Transpose; see SPELLINGS."""

from ...emission.accumulation import as_float32, cast_to, is_half
from ...emission.ops import Ops
from ...emission.replacing import put_in_place
from ...graph.ir import Graph, Node, Value


def matmul(op: Ops, node: Node) -> bool:
    """Multiply by a column instead of a vector, and in float32 where the fusion ends the process.

    onnxruntime takes x of MatMul(Transpose(x), v) as it is where v has one axis: the product is
    wrong. In float16 it ends where one operand is known and the other's first axis was moved.
    """
    a, b = node.required(2)
    if b.rank == 1:
        column = op.Unsqueeze(b, [1])
        put_in_place(op, node, [op.Squeeze(op.MatMul(a, column), [-1])])
    elif is_half(a) and (_mover(op.graph, a) or _mover(op.graph, b)):
        y = op.MatMul(_widened(op, a), _widened(op, b))
        put_in_place(op, node, [cast_to(op, y, a)])
    return False


def _mover(graph: Graph, value: Value) -> Node | None:
    """Give the Transpose that moves the first of three or more axes, if one gives a value."""
    node = graph.producer(value)
    if node is None or node.operator != "Transpose" or not value.rank or value.rank < 3:
        return None
    perm = node.attributes.get("perm") or [*range(value.rank)][::-1]
    return node if perm[0] != 0 else None


def _widened(op: Ops, value: Value) -> Value:
    """Give a value in float32; a cast between Transpose and MatMul is what it ends on."""
    mover = _mover(op.graph, value)
    if mover is None:
        return as_float32(op, value)
    wide: Value = op.Transpose(as_float32(op, mover.first_input), **mover.attributes)
    return wide
