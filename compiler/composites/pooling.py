"""Bodies of the gradients of pools."""

from ..emission.accumulation import scatter
from ..emission.ops import Ops
from ..emission.windows import FAR, Pool, sizes_of, spread, window_counts
from ..graph.ir import Node, Value
from .registry import form


@form("MaxPoolGrad")
def max_pool_grad(op: Ops, node: Node) -> Value:
    """Add dY into zeros of the shape of X at flat indices."""
    dy, indices, x_shape = node.required(3)
    zeros = op.Expand(op.like(0, dy), op.ReduceProd(x_shape, keepdims=1))
    flat = scatter(op, zeros, op.Reshape(indices, [-1]), op.Reshape(dy, [-1]))
    return op.Reshape(flat, x_shape, allowzero=1)


@form("AveragePoolGrad")
def average_pool_grad(op: Ops, node: Node) -> Value:
    """Spread dY / count over each window; padding counts where count_include_pad says so.

    What ceil_mode lets a window hang over the padding never counts.
    """
    dy, x_shape = node.required(2)
    pool, pads = Pool.of(node), node.attributes["pads"]
    begins, ends = pads[: len(pads) // 2], pads[len(pads) // 2 :]
    sizes = op.Slice(x_shape, [2], [FAR])
    low, high = op.Mul(sizes, 0), sizes
    if node.attributes["count_include_pad"]:
        low, high = op.Sub(low, begins), op.Add(sizes, ends)
    counts = window_counts(op, sizes_of(op, dy), begins, low, high, pool, dy.dtype)
    return spread(op, op.Div(dy, counts), x_shape, begins, pool)
