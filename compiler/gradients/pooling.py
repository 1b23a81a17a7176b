"""Gradients of pools, and of the normalization over neighboring channels."""

from ..differentiation.rules import Entries, Refused, composite_gradient, gradient
from ..emission.ops import Ops
from ..emission.windows import (
    Pool,
    numbers,
    padding,
    positions,
    reshaped,
    size_at,
    sizes_of,
    spatial_axes,
    spread,
    window,
)
from ..graph.ir import Node, Value
from ..graph.types import TensorType
from ..inference.shapes import elements_of
from ..standard.schemas import attribute


@gradient("MaxPool")
def max_pool(op: Ops, node: Node, dy: Value, indices_grad: None = None) -> Entries:
    """Each window passes its gradient to its largest element, which the output Indices names"""
    (x,) = node.required(1)
    indices = op.with_output(node, 1)
    if attribute(node, "storage_order"):
        indices = _row_major(op, indices, x, len(node.attributes["kernel_shape"]))
    return op.composite("MaxPoolGrad", dy, indices, op.Shape(x), types=[x.type])


@composite_gradient("MaxPoolGrad")
def max_pool_grad(op: Ops, node: Node, dx: Value) -> Entries:
    """Linear in dY: what arrives at the named elements"""
    _, indices, _ = node.inputs
    return op.Gather(op.Reshape(dx, [-1]), indices), None, None


@gradient("MaxUnpool")
def max_unpool(op: Ops, node: Node, dy: Value) -> Entries:
    """dX = dY at the indices, which count in the output's size by the attributes.

    Where indices repeat one of their elements wins and only that has a gradient: unpooling the
    elements' own numbers tells which.
    """
    x, indices = node.required(2)
    output_shape = node.inputs[2:]
    pool = Pool.of(node)
    if output_shape:
        pads = node.attributes.get("pads") or [0] * (2 * len(pool.kernel))
        begins, ends = pads[: len(pool.kernel)], pads[len(pool.kernel) :]
        last = op.Mul(op.Sub(sizes_of(op, x), 1), pool.strides)
        padded = [b + e for b, e in zip(begins, ends, strict=True)]
        plain = op.Sub(op.Add(last, pool.kernel), padded)
        dy = window(op, dy, [0] * len(pool.kernel), plain)
    arriving = op.Gather(op.Reshape(dy, [-1]), indices)
    exact = 2**24  # float32 holds no larger integers; equal indices are never that far apart
    count = op.Reshape(op.Mod(op.Range(0, op.Size(x), 1), exact), op.Shape(x), allowzero=1)
    own = op.CastLike(count, op.constant(0.0, "float32"))
    winners = op.MaxUnpool(own, indices, **node.attributes)
    wins = op.Equal(op.Gather(op.Reshape(winners, [-1]), indices), own)
    dx = op.Where(wins, arriving, op.like(0, x))
    return dx, *(None for _ in node.inputs[1:])


@gradient("AveragePool")
def average_pool(op: Ops, node: Node, dy: Value) -> Entries:
    """Each window spreads its gradient evenly over the elements that it averaged"""
    (x,) = node.required(1)
    pool = Pool.of(node)
    begins, ends = padding(op, node, x, pool.kernel, pool.strides, pool.dilations)
    before, after = numbers(begins), numbers(ends)
    by_attribute = attribute(node, "auto_pad") == "NOTSET"
    ceil_mode = attribute(node, "ceil_mode") if by_attribute else 0
    include = attribute(node, "count_include_pad")
    if before is None or after is None:
        return _average_pool_at_run_time(op, dy, x, op.value(begins), op.value(ends), pool, include)
    return op.composite(
        "AveragePoolGrad",
        dy,
        op.Shape(x),
        types=[x.type],
        kernel_shape=pool.kernel,
        strides=pool.strides,
        dilations=pool.dilations,
        pads=[*before, *after],
        ceil_mode=ceil_mode,
        count_include_pad=include,
    )


@composite_gradient("AveragePoolGrad")
def average_pool_grad(op: Ops, node: Node, dx: Value) -> Entries:
    """Linear in dY: the same average pool"""
    return op.AveragePool(dx, **node.attributes), None


@gradient("GlobalAveragePool")
def global_average_pool(op: Ops, node: Node, dy: Value) -> Entries:
    """dx = dy / count, everywhere"""
    (x,) = node.required(1)
    count = positions(op, x)
    share = op.Div(dy, op.CastLike(count, dy) if isinstance(count, Value) else float(count))
    return op.Expand(share, op.Shape(x))


@gradient("GlobalMaxPool", widens=True)
def global_max_pool(op: Ops, node: Node, dy: Value) -> Entries:
    """dx = dy at the largest element; equal ones share it"""
    (x,), y = node.required(1), node.output()
    if x.rank is None:
        return Refused("the rank of x is unknown while compiling")
    if x.rank == 2:  # no axes would mean all of them
        return dy
    largest = op.Equal(x, y)
    count = op.ReduceSum(op.CastLike(largest, dy), spatial_axes(x.rank - 2), keepdims=1)
    return op.Where(largest, op.Div(dy, count), 0.0)


@gradient("LpPool", widens=True)
def lp_pool(op: Ops, node: Node, dy: Value) -> Entries:
    """y = (Σ |x|ᵖ)^(1/p) over windows:  dx = sign(x)·|x|^(p−1) · Σ dy / y^(p−1)"""
    (x,), y = node.required(1), node.output()
    pool, p = Pool.of(node), attribute(node, "p")
    begins, _ = padding(op, node, x, pool.kernel, pool.strides, pool.dilations)
    share = spread(op, _by_norm(op, dy, y, p), op.Shape(x), begins, pool)
    return op.Mul(_slope(op, x, p), share)


@gradient("GlobalLpPool", widens=True)
def global_lp_pool(op: Ops, node: Node, dy: Value) -> Entries:
    """y = (Σ |x|ᵖ)^(1/p):  dx = sign(x)·|x|^(p−1) · dy / y^(p−1)"""
    (x,), y = node.required(1), node.output()
    p = attribute(node, "p")
    return op.Mul(_slope(op, x, p), _by_norm(op, dy, y, p))


@gradient("LRN", widens=True)
def local_response_normalization(op: Ops, node: Node, dy: Value) -> Entries:
    """y = x·D^(−β), D = bias + α/size·Σ x² over neighboring channels.

    dx = dy·D^(−β) − 2αβ/size · x · Σ dy·x·D^(−β−1), summed over the channels that x reaches.
    """
    (x,) = node.required(1)
    alpha, beta = attribute(node, "alpha"), attribute(node, "beta")
    size = node.attributes["size"]
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    squares = _channel_mean(op, op.Mul(x, x), size, before, after)
    base = op.Add(op.Mul(squares, alpha), attribute(node, "bias"))
    direct = op.Mul(dy, op.Pow(base, op.like(-beta, x)))
    sums = _channel_mean(op, op.Div(op.Mul(direct, x), base), size, after, before)
    return op.Sub(direct, op.Mul(op.Mul(x, sums), 2 * alpha * beta))


def _channel_mean(op: Ops, x: Value, size: int, before: int, after: int) -> Value:
    """Sum over channels from `before` below to `after` above each, divided by `size`."""
    plane = reshaped(op, x, size_at(op, x, 0), 1, size_at(op, x, 1), positions(op, x))
    pads = [before, 0, after, 0]
    mean = op.AveragePool(plane, kernel_shape=[size, 1], pads=pads, count_include_pad=1)
    return op.Reshape(mean, op.Shape(x), allowzero=1)


def _slope(op: Ops, x: Value, p: int) -> Value:
    """Give sign(x)·|x|^(p−1)."""
    if p == 2:
        return x
    sign = op.Sign(x)
    return sign if p == 1 else op.Mul(sign, op.Pow(op.Abs(x), op.like(p - 1, x)))


def _by_norm(op: Ops, dy: Value, y: Value, p: int) -> Value:
    """Give dy / y^(p−1), and 0 where y is zero: a kink, whose second derivative is NaN."""
    if p == 1:
        return dy
    inverse = op.Reciprocal(y if p == 2 else op.Pow(y, op.like(p - 1, y)))
    return op.Mul(dy, op.Where(op.Equal(y, 0.0), 0.0, inverse))


def _average_pool_at_run_time(
    op: Ops, dy: Value, x: Value, begins: Value, ends: Value, pool: Pool, include: int
) -> Value:
    """Average over an image that was padded beforehand: its pads are known only at run time.

    Unless padding counts, dy is divided first by the part of each window that is not padding.
    """
    sizes = sizes_of(op, x)
    wide = op.Add(op.Add(sizes, begins), ends)
    attributes = {
        "kernel_shape": pool.kernel,
        "strides": pool.strides,
        "dilations": pool.dilations,
    }
    if not include:
        one = op.constant([1, 1])
        ones = op.Expand(op.like(1, x), op.Concat(one, sizes, axis=0))
        dy = op.Div(dy, op.AveragePool(window(op, ones, op.Neg(begins), wide), **attributes))
    shape = op.Concat(op.Shape(x, end=2), wide, axis=0)
    spread_out = op.composite(
        "AveragePoolGrad",
        dy,
        shape,
        types=[TensorType(x.dtype, elements_of(shape))],
        **attributes,
        pads=[0] * (2 * len(pool.kernel)),
        ceil_mode=0,
        count_include_pad=0,
    )
    return window(op, spread_out, begins, sizes)


def _row_major(op: Ops, indices: Value, x: Value, rank: int) -> Value:
    """Turn indices that count each image's elements column by column (storage_order 1)."""
    sizes = [size_at(op, x, axis) for axis in spatial_axes(rank)]
    whole = op.value(positions(op, x))
    place = op.Mod(indices, whole)
    plane = op.Sub(indices, place)
    found: Value | None = None
    for size in sizes:
        along = op.Mod(place, op.value(size))
        place = op.Div(place, op.value(size))
        found = along if found is None else op.Add(op.Mul(found, op.value(size)), along)
    return op.Add(plane, found)
