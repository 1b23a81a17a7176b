"""Gradients of matrix products and of the determinant."""

from ..differentiation.rules import RANKLESS, Entries, gradient
from ..emission.ops import Ops
from ..graph.ir import Node, Value


@gradient("MatMul", broadcasts=True)
def matmul(op: Ops, node: Node, dy: Value) -> Entries:
    """Y = A·B:  dA = dY·Bᵀ,  dB = Aᵀ·dY;  a 1-D operand is a row or a column, squeezed back."""
    a, b = node.required(2)
    if a.rank is None or b.rank is None:
        return (RANKLESS,) * 2
    if a.rank >= 2 == b.rank:
        return _matmul_by_matrix(op, a, b, dy)
    row, column = a.rank == 1, b.rank == 1
    a2 = op.Unsqueeze(a, [0]) if row else a
    b2 = op.Unsqueeze(b, [1]) if column else b
    axes = [-2] * row + [-1] * column
    dy = op.Unsqueeze(dy, axes) if axes else dy
    da = op.MatMul(dy, transposed(op, b2))
    db = op.MatMul(transposed(op, a2), dy)
    return (op.Squeeze(da, [-2]) if row else da), (op.Squeeze(db, [-1]) if column else db)


def _matmul_by_matrix(op: Ops, a: Value, b: Value, dy: Value) -> Entries:
    """A stack times one matrix: dB is one product over all rows, never a stack that is summed."""
    if a.rank == 2:
        return op.Gemm(dy, b, transB=1), op.Gemm(a, dy, transA=1)
    rows, dy_rows = op.Flatten(a, axis=-1), op.Flatten(dy, axis=-1)
    return op.MatMul(dy, transposed(op, b)), op.Gemm(rows, dy_rows, transA=1)


@gradient("Gemm", broadcasts=True)
def gemm(op: Ops, node: Node, dy: Value) -> Entries:
    """Y = alpha·A'·B' + beta·C:  dA' = alpha·dY·B'ᵀ,  dB' = alpha·A'ᵀ·dY,  dC = beta·dY

    A' and B' are A and B, transposed where transA and transB say so; dA and dB then are too.
    """
    a, b, *_ = node.inputs
    get = node.attributes.get
    alpha, beta = get("alpha", 1.0), get("beta", 1.0)
    across, along = int(get("transA", 0)), int(get("transB", 0))
    if across:
        da = op.Gemm(b, dy, alpha=alpha, transA=along, transB=1)
    else:
        da = op.Gemm(dy, b, alpha=alpha, transB=1 - along)
    if along:
        db = op.Gemm(dy, a, alpha=alpha, transA=1, transB=across)
    else:
        db = op.Gemm(a, dy, alpha=alpha, transA=1 - across)
    dc = dy if beta == 1 else op.Mul(dy, beta)
    return (da, db, dc)[: len(node.inputs)]


@gradient("Det")
def determinant(op: Ops, node: Node, dy: Value) -> Entries:
    """∂det X/∂Xᵢⱼ is a cofactor: the determinant of X with row i replaced by the unit row j

    All n² of them are taken at once. Exact for singular matrices and to every order, where the
    inverse matrix would not be.
    """
    (x,) = node.inputs
    size = op.Shape(x, start=-1)
    numbers = op.Range(0, op.Squeeze(size, [0]), 1)
    same = op.Equal(op.Unsqueeze(numbers, [1]), op.Unsqueeze(numbers, [0]))
    replaced = op.Unsqueeze(same, [1, 3])  # (i, 1, row, 1)
    unit = op.CastLike(op.Unsqueeze(same, [0, 2]), x)  # (1, j, 1, column)
    cofactors = op.Det(op.Where(replaced, unit, op.Unsqueeze(x, [-3, -4])))
    return op.Mul(op.Unsqueeze(dy, [-1, -2]), cofactors)


def transposed(op: Ops, x: Value) -> Value:
    """Swap the last two axes."""
    axes = list(range(x.known_rank))
    axes[-2:] = axes[:-3:-1]
    return op.Transpose(x, perm=axes)
