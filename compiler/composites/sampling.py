"""Bodies of operators that read images between their pixels."""

from collections.abc import Sequence

from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..emission.positions import dimension, product, unravelled
from ..emission.windows import reach, sizes_of
from ..graph.ir import Node, Value
from ..inference.window_shapes import convolution_shape
from ..standard.schemas import attribute
from .registry import standard_body

CUBIC = -0.75
"""The coefficient of cubic interpolation that GridSample's definition fixes."""


@standard_body("AffineGrid", widens=True)
def affine_grid(op: Ops, node: Node) -> Value:
    """Map every place p of an image: θ·(p, 1), θ: (batch, axes, axes + 1), places last axis first.

    −1 and 1 are the centers of the outermost pixels, or with align_corners=0 their edges.
    """
    theta, size = node.required(2)
    spatial = op.Slice(size, [2], [2**31])
    pixels = cast_to(op, unravelled(op, spatial), theta)
    if attribute(node, "align_corners"):
        steps = cast_to(op, op.Max(op.Sub(spatial, 1), [1]), theta)
        places = op.Sub(op.Div(op.Mul(pixels, 2.0), steps), 1.0)
    else:
        extent = cast_to(op, spatial, theta)
        places = op.Sub(op.Div(op.Add(op.Mul(pixels, 2.0), 1.0), extent), 1.0)
    backwards = op.Slice(places, [-1], [-(2**31)], [1], [-1])
    with_one = op.Pad(backwards, [0, 1], op.like(1, theta), [1])
    grid = op.MatMul(with_one, op.Transpose(theta, perm=[0, 2, 1]))
    shape = op.Concat(dimension(op, theta, 0), spatial, dimension(op, theta, 1), axis=0)
    return op.Reshape(grid, shape, allowzero=1)


@standard_body("GridSample", widens=True)
def grid_sample(op: Ops, node: Node) -> Value:
    """Read x: (batch, channels, *spatial) at the places of grid: (batch, *out, axes), x before y.

    A grid's −1 and 1 are the centers of the outermost pixels, or with align_corners=0 their edges.
    """
    x, grid = node.required(2)
    rank = x.known_rank - 2
    mode = str(attribute(node, "mode")).removeprefix("bi")
    padding = attribute(node, "padding_mode")
    corners = bool(attribute(node, "align_corners"))
    places = product(op, op.Shape(grid, start=1, end=-1))
    flat = op.Reshape(grid, op.Concat(dimension(op, grid, 0), places, [rank], axis=0), allowzero=1)
    parts = op.Split(flat, axis=2, num_outputs=rank, outputs=rank) if rank > 1 else (flat,)
    parts = parts if isinstance(parts, tuple) else (parts,)
    axes, marks = [], []
    for axis in range(rank):
        size = cast_to(op, dimension(op, x, 2 + axis), grid)
        low, high = _borders(op, size, corners)
        at = _denormalized(op, parts[rank - 1 - axis], size, corners)
        at = op.Round(at) if mode == "nearest" else at
        at = _padded(op, at, low, high, size, padding)
        found, mark = _without_nan(op, at)
        marks.append(mark)
        axes.append(_taps(op, found, low, high, size, mode, padding))
    y = op.Transpose(_read(op, x, axes, marks), perm=[0, 2, 1])
    shape = op.Concat(op.Shape(x, end=2), op.Shape(grid, start=1, end=-1), axis=0)
    return op.Reshape(y, shape, allowzero=1)


def _borders(op: Ops, size: Value, corners: bool) -> tuple[Value, Value]:
    """Give the coordinates of −1 and 1."""
    low = op.like(0 if corners else -0.5, size)
    return low, op.Sub(size, op.like(1 if corners else 0.5, size))


def _denormalized(op: Ops, at: Value, size: Value, corners: bool) -> Value:
    """Bring coordinates from [−1, 1] to pixels."""
    half = op.Mul(op.Add(at, 1.0), 0.5)
    if corners:
        return op.Mul(half, op.Sub(size, 1.0))
    return op.Sub(op.Mul(half, size), 0.5)


def _padded(op: Ops, at: Value, low: Value, high: Value, size: Value, padding: str) -> Value:
    """Bring coordinates that are outside of the borders inside, as the padding says."""
    if padding == "zeros":
        return at
    outside = op.Or(op.Less(at, low), op.Greater(at, high))
    if padding == "border":
        inside = op.Min(op.Max(at, op.like(0, at)), op.Sub(size, 1.0))
    else:
        inside = _reflected(op, at, low, high)
    return op.Where(outside, inside, at)


def _reflected(op: Ops, at: Value, low: Value, high: Value) -> Value:
    """Reflect at both borders until inside: low + range − |((at − low) mod 2·range) − range|.

    Between borders that are one, there is only their place.
    """
    extent = op.Sub(high, low)
    wide = op.Greater(extent, op.like(0, extent))
    period = op.Where(wide, op.Mul(extent, 2.0), op.like(1, extent))
    distance = op.Sub(at, low)
    phase = op.Sub(distance, op.Mul(op.Floor(op.Div(distance, period)), period))
    return op.Where(wide, op.Sub(high, op.Abs(op.Sub(phase, extent))), low)


def _without_nan(op: Ops, at: Value) -> tuple[Value, Value]:
    """Give coordinates with 0 for NaN, which is not an index, and NaN there, its gradient too."""
    nothing = op.like(0, at)
    lost = op.IsNaN(at)
    mark = op.Where(lost, at, nothing)
    return op.Where(lost, nothing, at), op.Mul(mark, mark)


def _taps(
    op: Ops, at: Value, low: Value, high: Value, size: Value, mode: str, padding: str
) -> tuple[Value, Value]:
    """Give the pixels read along one axis, int64, and their weights: (batch, places, taps)."""
    if mode == "nearest":
        index, weight = at, op.Expand(op.like(1, at), op.Shape(at))
    else:
        first = op.Floor(at)
        offsets = [0.0, 1.0] if mode == "linear" else [-1.0, 0.0, 1.0, 2.0]
        index = op.Add(first, op.constant(offsets, at.dtype))
        fraction = op.Sub(at, first)
        weight = _linear(op, fraction) if mode == "linear" else _cubic(op, fraction)
    last = op.Sub(size, 1.0)
    if padding == "zeros":
        inside = op.And(op.GreaterOrEqual(index, op.like(0, at)), op.LessOrEqual(index, last))
        weight = op.Where(inside, weight, op.like(0, at))
    elif padding == "reflection":
        outside = op.Or(op.Less(index, low), op.Greater(index, high))
        index = op.Where(outside, op.Round(_reflected(op, index, low, high)), index)
    index = op.Min(op.Max(index, op.like(0, at)), last)
    return op.Cast(index, to="int64"), weight


def _linear(op: Ops, fraction: Value) -> Value:
    return op.Concat(op.Sub(1.0, fraction), fraction, axis=-1)


def _cubic(op: Ops, fraction: Value) -> Value:
    """Give the weights of the pixels at −1, 0, 1, 2 by Keys' convolution kernel."""

    def near(t: Value) -> Value:
        inner = op.Sub(op.Mul(t, CUBIC + 2), CUBIC + 3)
        return op.Add(op.Mul(op.Mul(inner, t), t), 1.0)

    def far(t: Value) -> Value:
        inner = op.Add(op.Mul(op.Sub(op.Mul(t, CUBIC), 5 * CUBIC), t), 8 * CUBIC)
        return op.Sub(op.Mul(inner, t), 4 * CUBIC)

    rest = op.Sub(1.0, fraction)
    weights = [far(op.Add(fraction, 1.0)), near(fraction), near(rest), far(op.Add(rest, 1.0))]
    return op.Concat(*weights, axis=-1)


def _read(op: Ops, x: Value, axes: Sequence[tuple[Value, Value]], marks: Sequence[Value]) -> Value:
    """Sum weighted pixels: x: (batch, channels, *spatial) → (batch, places, channels).

    Every combination of the axes' taps is one pixel; its weight is the product of theirs. A place
    that is marked by NaN, (batch, places, 1), reads NaN and no pixel.
    """
    batch, channels, spatial = dimension(op, x, 0), dimension(op, x, 1), op.Shape(x, start=2)
    rank = len(axes)
    position, weight = (_beside_others(op, v, 0, rank) for v in axes[0])
    for k, axis in enumerate(axes[1:], 1):
        index, part = (_beside_others(op, v, k, rank) for v in axis)
        position = op.Add(op.Mul(position, dimension(op, x, 2 + k)), index)
        weight = op.Mul(weight, part)
    places = op.Shape(weight, start=1, end=2)
    taps = product(op, op.Shape(weight, start=2))
    flat = op.Reshape(x, op.Concat(batch, channels, product(op, spatial), axis=0), allowzero=1)
    rows = op.Reshape(position, op.Concat(batch, op.Mul(places, taps), [1], axis=0), allowzero=1)
    pixels = op.GatherND(op.Transpose(flat, perm=[0, 2, 1]), rows, batch_dims=1)
    pixels = op.Reshape(pixels, op.Concat(batch, places, taps, channels, axis=0), allowzero=1)
    weights = op.Reshape(weight, op.Concat(batch, places, taps, [1], axis=0), allowzero=1)
    y = op.ReduceSum(op.Mul(pixels, weights), [2], keepdims=0)
    mark = op.Sum(*marks)
    return op.Where(op.IsNaN(mark), mark, y)


def _beside_others(op: Ops, v: Value, k: int, rank: int) -> Value:
    """Give the taps of one axis, (batch, places, taps), an axis for those of each other one."""
    others = [2 + i for i in range(rank) if i != k]
    return op.Unsqueeze(v, others) if others else v


@standard_body("DeformConv", widens=True)
def deform_conv(op: Ops, node: Node) -> Value:
    """A convolution that reads every tap of its kernel at an offset, linearly between pixels.

    x: (batch, channels, *spatial), w: (outputs, channels / group, *kernel), offset: (batch,
    offset_group · taps · axes, *out), mask: (batch, offset_group · taps, *out). What lies outside
    of x is zero.
    """
    x, w, offset = node.required(3)
    bias, mask = node.input(3), node.input(4)
    rank = x.known_rank - 2
    parts = attribute(node, "offset_group")
    batch, channels = dimension(op, x, 0), dimension(op, x, 1)
    given = node.attributes.get("kernel_shape")
    kernel, out = op.constant(given) if given else op.Shape(w, start=2), _places(op, node, rank)
    images = op.Mul(batch, parts)
    per_part = op.Div(channels, parts)
    apart = op.Concat(images, kernel, [rank], out, axis=0)
    shifts = op.Reshape(offset, apart, allowzero=1)
    image = op.Reshape(x, op.Concat(images, per_part, op.Shape(x, start=2), axis=0), allowzero=1)
    everywhere = product(op, op.Concat(kernel, out, axis=0))
    rows = op.Concat(images, everywhere, [1], axis=0)
    axes, marks = [], []
    for axis in range(rank):
        start = _tap_places(op, node, w, offset, axis, rank)
        at = op.Add(op.Gather(shifts, axis, axis=1 + rank), start)
        size = cast_to(op, dimension(op, x, 2 + axis), x)
        low, high = _borders(op, size, True)
        column, mark = _without_nan(op, op.Reshape(at, rows, allowzero=1))
        marks.append(mark)
        axes.append(_taps(op, column, low, high, size, "linear", "zeros"))
    pixels = _read(op, image, axes, marks)
    if mask is not None:
        pixels = op.Mul(pixels, op.Reshape(mask, rows, allowzero=1))
    return _contracted(op, node, pixels, per_part, bias)


def _places(op: Ops, node: Node, rank: int) -> Value:
    """Give the sizes of a DeformConv's output, which those of its offsets must be."""
    x, w, offset = node.required(3)
    told = convolution_shape(node)
    if told is not None and offset.shape is not None and told[2:] == offset.shape[2:]:
        return op.Shape(offset, start=2)
    strides, dilations = (node.attributes.get(k) or [1] * rank for k in ("strides", "dilations"))
    pads = node.attributes.get("pads") or [0] * 2 * rank
    sizes = op.Add(sizes_of(op, x), [sum(pads[k::rank]) for k in range(rank)])
    last = op.Sub(sizes, reach(op, sizes_of(op, w), dilations))
    return op.Add(op.Div(last, list(strides)), 1)


def _tap_places(op: Ops, node: Node, w: Value, offset: Value, axis: int, rank: int) -> Value:
    """Give where each tap lies without its offset along an axis, to add to (*kernel, *out)."""
    strides, dilations = (node.attributes.get(k) or [1] * rank for k in ("strides", "dilations"))
    pads = node.attributes.get("pads") or [0] * 2 * rank
    taps = op.Range(0, op.Squeeze(dimension(op, w, 2 + axis), [0]), 1)
    steps = op.Range(0, op.Squeeze(dimension(op, offset, 2 + axis), [0]), 1)
    taps = op.Mul(taps, dilations[axis])
    steps = op.Sub(op.Mul(steps, strides[axis]), pads[axis])
    taps = op.Unsqueeze(taps, [k for k in range(2 * rank) if k != axis])
    steps = op.Unsqueeze(steps, [k for k in range(2 * rank) if k != rank + axis])
    return cast_to(op, op.Add(taps, steps), offset)


def _contracted(op: Ops, node: Node, pixels: Value, per_part: Value, bias: Value | None) -> Value:
    """Multiply pixels: (batch · parts, taps · places, channels / parts) by the grouped weight."""
    x, w, offset = node.required(3)
    group, parts = (node.attributes.get(k, 1) for k in ("group", "offset_group"))
    batch, channels = dimension(op, x, 0), dimension(op, x, 1)
    taps, out = product(op, op.Shape(w, start=2)), op.Shape(offset, start=2)
    places = product(op, out)
    columns = op.Reshape(
        pixels, op.Concat(batch, [parts], taps, places, per_part, axis=0), allowzero=1
    )
    columns = op.Transpose(columns, perm=[0, 1, 4, 2, 3])
    depth = op.Div(op.Mul(channels, taps), group)
    columns = op.Reshape(columns, op.Concat(batch, [group], depth, places, axis=0), allowzero=1)
    outputs = dimension(op, w, 0)
    weight = op.Reshape(w, op.Concat([group], op.Div(outputs, group), depth, axis=0), allowzero=1)
    y: Value = op.Reshape(
        op.MatMul(weight, columns), op.Concat(batch, outputs, out, axis=0), allowzero=1
    )
    if bias is not None:
        ones = op.constant([1] * (x.known_rank - 2))
        y = op.Add(y, op.Reshape(bias, op.Concat(outputs, ones, axis=0), allowzero=1))
    return y
