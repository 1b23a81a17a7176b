"""Gradient of AffineGrid, which is linear in its matrices."""

from ..differentiation.rules import Entries, gradient
from ..emission.ops import Ops
from ..graph.ir import Node, Value


@gradient("AffineGrid")
def affine_grid(op: Ops, node: Node, dy: Value) -> Entries:
    """y[n, place] = θ[n]·(base[place], 1):  dθ[n] = Σ dy[n, place]ᵀ·(base[place], 1)

    The base grid is what AffineGrid gives for the matrix that moves nothing.
    """
    theta, shape = node.required(2)
    one_image = op.Concat([1], op.Slice(shape, [1], [5]), axis=0)
    sizes = (op.Shape(theta, start=k, end=k + 1) for k in (1, 2))
    rows, columns = (op.Range(0, op.Squeeze(size, [0]), 1) for size in sizes)
    diagonal = op.Equal(op.Unsqueeze(rows, [1]), op.Unsqueeze(columns, [0]))
    still = op.Unsqueeze(op.CastLike(diagonal, theta), [0])
    base = op.AffineGrid(still, one_image, **node.attributes)
    axes = op.Shape(theta, start=1, end=2)
    places = op.Reshape(base, op.Concat([-1], axes, axis=0))
    ones = op.Expand(op.like(1, theta), op.Concat(op.Shape(places, end=1), [1], axis=0))
    stacked = op.Reshape(dy, op.Concat([0, -1], axes, axis=0))
    return op.MatMul(op.Transpose(stacked, perm=[0, 2, 1]), op.Concat(places, ones, axis=1)), None
