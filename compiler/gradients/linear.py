"""Gradients of matrix products."""

from ..ir import Node, Value
from ..ops import Ops
from .registry import Entries, Refused, gradient


@gradient("MatMul", broadcasts=True)
def matmul(op: Ops, node: Node, dy: Value) -> Entries:
    """Y = A·B:  dA = dY·Bᵀ,  dB = Aᵀ·dY;  a 1-D operand is a row or a column, squeezed back."""
    a, b = node.inputs
    assert a is not None and b is not None
    if a.rank is None or b.rank is None:
        return (Refused("the ranks of its operands are unknown"),) * 2
    row, column = a.rank == 1, b.rank == 1
    a2 = op.Unsqueeze(a, [0]) if row else a
    b2 = op.Unsqueeze(b, [1]) if column else b
    axes = [-2] * row + [-1] * column
    dy = op.Unsqueeze(dy, axes) if axes else dy
    da = op.MatMul(dy, transposed(op, b2))
    db = op.MatMul(transposed(op, a2), dy)
    return (op.Squeeze(da, [-2]) if row else da), (op.Squeeze(db, [-1]) if column else db)


def transposed(op: Ops, x: Value) -> Value:
    """Swap the last two axes."""
    assert x.rank is not None
    axes = list(range(x.rank))
    axes[-2:] = axes[:-3:-1]
    return op.Transpose(x, perm=axes)
