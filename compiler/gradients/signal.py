"""Gradients of operators on signals."""

from ..differentiation.rules import Entries, gradient
from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..emission.positions import dimension, int64
from ..graph.ir import Node, Value


@gradient("DFT")
def dft(op: Ops, node: Node, dy: Value) -> Entries:
    """y = F·x:  dx = Fᴴ·dy, which is N times the inverse transform (or 1/N the forward one)

    One-sided spectra lack half of the rows: of a spectrum as output they are zeros in dy; as input
    they were the conjugates of the rows that are there, which therefore count twice, but for the
    first one and, if N is even, the one at N/2.
    """
    x = node.first_input
    length, axis = [*node.inputs[1:], None, None][:2]
    inverse, onesided = (node.attributes.get(name, 0) for name in ("inverse", "onesided"))
    axis = op.constant(-2) if axis is None else int64(op, axis)
    size = op.Gather(op.Shape(x), axis)
    if length is not None:
        total = int64(op, length)
    else:
        total = op.Mul(op.Sub(size, 1), 2) if inverse and onesided else size
    scale = cast_to(op, total, x)
    half = int(inverse and onesided)
    dx = op.DFT(dy, total, axis, inverse=1 - inverse, onesided=half)
    dx = op.Div(dx, scale) if inverse else op.Mul(dx, scale)
    if half:
        dx = op.Mul(dx, _multiplicity(op, dx, total, axis))
    if length is not None:
        dx = _fitted(op, dx, size, axis)
    dx = op.Slice(dx, [0], dimension(op, x, -1), [-1])
    return dx, *(None for _ in node.inputs[1:])


def _multiplicity(op: Ops, spectrum: Value, total: Value, axis: Value) -> Value:
    """Give how often each row of a one-sided spectrum counts, to multiply along an axis."""
    rows = op.Gather(op.Shape(spectrum), axis)
    row = op.Range(0, rows, 1)
    own = op.Or(op.Equal(row, 0), op.Equal(op.Mul(row, 2), total))
    counts = op.Where(own, op.like(1, spectrum), op.like(2, spectrum))
    rank = op.Shape(op.Shape(spectrum))
    shape = op.Expand(op.constant([1]), rank)
    at = op.Reshape(axis, [1])
    shape = op.ScatterElements(shape, at, op.Reshape(rows, [1]))
    return op.Reshape(counts, shape, allowzero=1)


def _fitted(op: Ops, x: Value, size: Value, axis: Value) -> Value:
    """Cut x to a size along an axis, or add zeros, as the transform did in reverse."""
    missing = op.Reshape(op.Sub(size, op.Gather(op.Shape(x), axis)), [1])
    return op.Pad(x, op.Concat([0], missing, axis=0), None, op.Reshape(axis, [1]))
