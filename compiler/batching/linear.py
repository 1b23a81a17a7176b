"""Batching of matrix products: the batch axis is a leading axis."""

from collections.abc import Sequence

from ..graph.ir import Node
from .elementwise import aligned
from .registry import Batch, Operand, Result, batching, required


@batching("MatMul")
def matmul(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """1-D operands become matrices first, then leading axes align"""
    a, b = required(operands, 2)
    if a.rank is None or b.rank is None:
        return None
    op = batch.op
    row, column = a.rank == 1, b.rank == 1
    if row:
        a = Operand(op.Unsqueeze(a.value, [-2]), a.batched)
    if column:
        b = Operand(op.Unsqueeze(b.value, [-1]), b.batched)
    rank = max(a.rank or 0, b.rank or 0)
    y = op.MatMul(aligned(batch, a, rank), aligned(batch, b, rank))
    dropped = [-2] * row + [-1] * column
    return op.Squeeze(y, dropped) if dropped else y


@batching("Gemm")
def gemm(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """α·A′·B′ + β·C by MatMul, Mul and Add"""
    a, b = required(operands, 2)
    (c,) = (*operands[2:], None)[:1]
    if c is not None and c.batched and c.rank is None:
        return None
    op, settings = batch.op, node.attributes
    left = _transposed(batch, a) if settings.get("transA", 0) else a
    right = _transposed(batch, b) if settings.get("transB", 0) else b
    y = op.MatMul(left.value, right.value)
    if settings.get("alpha", 1.0) != 1.0:
        y = op.Mul(y, settings["alpha"])
    if c is None:
        return y
    scaled = op.Mul(c.value, settings["beta"]) if settings.get("beta", 1.0) != 1.0 else c.value
    return op.Add(y, aligned(batch, Operand(scaled, c.batched), 2))


def _transposed(batch: Batch, x: Operand) -> Operand:
    perm = [0, 2, 1] if x.batched else [1, 0]
    return Operand(batch.op.Transpose(x.value, perm=perm), x.batched)


@batching("Einsum")
def einsum(batch: Batch, node: Node, operands: Sequence[Operand | None]) -> Result:
    """A letter of its own for the batch axis, in batched operands and the result"""
    equation = node.attributes["equation"].replace(" ", "")
    terms, arrow, result = equation.partition("->")
    if not arrow or "..." in equation:
        return None
    letter = next(c for c in "zyxwvutsrqponmlkjihgfedcbaZYXWVUT" if c not in equation)
    pairs = zip(terms.split(","), operands, strict=True)
    spelled = [letter + t if o is not None and o.batched else t for t, o in pairs]
    inputs = [o.value for o in operands if o is not None]
    return batch.op.Einsum(*inputs, equation=f"{','.join(spelled)}->{letter}{result}")
