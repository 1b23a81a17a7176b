"""Bodies of operators that pool regions of interest."""

from dataclasses import dataclass
from math import prod

from ..emission.accumulation import cast_to
from ..emission.ops import Ops
from ..emission.positions import dimension, from_front
from ..graph.dims import typical_size
from ..graph.ir import Node, Value
from ..graph.types import is_static
from ..standard.schemas import attribute
from .registry import standard_body

_GATHERED = 200
"""As many products of matrices take the time of one pixel that is gathered."""


@dataclass(frozen=True)
class Samples:
    """Where regions are sampled along one axis; each tensor is (regions, bins, samples).

    `at` are pixels, `valid` marks the samples that a region has, `inside` those that also lie in
    the image, `count` is how many samples a bin of each region has: (regions, 1, 1).
    """

    at: Value
    valid: Value
    inside: Value
    count: Value


@standard_body("RoiAlign", widens=True)
def roi_align(op: Ops, node: Node) -> Value:
    """Sample each bin of each region linearly between pixels and take the mean or the maximum.

    x: (batch, channels, height, width), regions: (count, 4) of x1, y1, x2, y2. In max mode it is
    the maximum of the four weighted pixels of all samples, as ONNX's reference has it.
    """
    x, regions, batch = node.required(3)
    if batch.shape != (regions.shape or "?")[:1]:  # one image must not stand for all regions
        batch = op.Reshape(batch, op.Shape(regions, end=1), allowzero=1)
    batch = from_front(op, batch, dimension(op, x, 0))
    regions, mark = _finite(op, regions)
    height, width = dimension(op, x, 2), dimension(op, x, 3)
    vertical = _samples(op, node, regions, 1, height, "output_height")
    horizontal = _samples(op, node, regions, 0, width, "output_width")
    if attribute(node, "mode") == "max":
        y = _maximum(op, _sampled(op, x, batch, vertical, horizontal))
    elif _has_few_samples(node, x):
        y = _mean(op, _sampled(op, x, batch, vertical, horizontal))
    else:
        rows = _mean_matrix(op, vertical, height)
        columns = op.Transpose(_mean_matrix(op, horizontal, width), perm=[0, 2, 1])
        y = _between(op, x, batch, rows, columns)
    return op.Where(op.IsNaN(mark), mark, y)


def _has_few_samples(node: Node, x: Value) -> bool:
    """Tell whether it is cheaper to gather the pixels that samples read than to multiply images.

    Where the regions decide how many samples there are, the mean is a product with one matrix per
    axis, for the samples form a grid.
    """
    bins = [node.attributes.get(f"output_{side}", 1) for side in ("height", "width")]
    read = 4 * prod(bins) * int(attribute(node, "sampling_ratio")) ** 2
    sizes = x.shape[2:] if x.shape else ()
    if not read or not is_static(sizes):
        return read > 0
    if _is_single(x):
        return read * _GATHERED < bins[0] * typical_size(sizes)
    return read <= typical_size(sizes)


def _is_single(x: Value) -> bool:
    return x.shape is not None and x.shape[:1] == (1,)


def _between(op: Ops, x: Value, batch: Value, rows: Value, columns: Value) -> Value:
    """Give rows·x·columns of the image of each region; rows: (regions, bins, height).

    A single image is a factor of all rows at once; else each region holds its own.
    """
    if not _is_single(x):
        images = op.Gather(x, batch, axis=0)
        return op.MatMul(op.MatMul(op.Unsqueeze(rows, [1]), images), op.Unsqueeze(columns, [1]))
    chosen = op.Gather(op.constant([1.0], rows.dtype), batch)  # an index but 0 is an error
    rows = op.Mul(rows, op.Unsqueeze(chosen, [1, 2]))
    regions, bins, height = (dimension(op, rows, axis) for axis in range(3))
    channels, width = dimension(op, x, 1), dimension(op, x, 3)
    lines = op.Concat(height, op.Mul(channels, width), axis=0)
    flat = op.Reshape(op.Transpose(x, perm=[0, 2, 1, 3]), lines, allowzero=1)
    listed = op.Concat(op.Mul(regions, bins), height, axis=0)
    strips = op.MatMul(op.Reshape(rows, listed, allowzero=1), flat)
    strips = op.Reshape(strips, op.Concat(regions, bins, channels, width, axis=0), allowzero=1)
    return op.Transpose(op.MatMul(strips, op.Unsqueeze(columns, [1])), perm=[0, 2, 1, 3])


def _finite(op: Ops, regions: Value) -> tuple[Value, Value]:
    """Give regions with 0 for NaN and infinity, and NaN for each that had one: (count, 1, 1, 1).

    The gradient of that mark is NaN, too, and 0 for all other regions.
    """
    nothing = op.like(0, regions)
    lost = op.IsNaN(op.Sub(regions, regions))
    square = op.Mul(bad := op.Where(lost, regions, nothing), bad)
    mark = op.ReduceSum(op.Sub(square, square), [1], keepdims=0)
    return op.Where(lost, nothing, regions), op.Unsqueeze(mark, [1, 2, 3])


def _samples(op: Ops, node: Node, regions: Value, axis: int, size: Value, output: str) -> Samples:
    """Spread samples evenly over the bins of every region along one axis (x is 0, y is 1)."""
    half_pixel = attribute(node, "coordinate_transformation_mode") == "half_pixel"
    bins = node.attributes.get(output, 1)
    scaled = op.Mul(regions, attribute(node, "spatial_scale"))
    scaled = op.Sub(scaled, 0.5) if half_pixel else scaled
    start, end = (op.Unsqueeze(op.Gather(scaled, k, axis=1), [1, 2]) for k in (axis, axis + 2))
    extent = op.Sub(end, start)
    extent = extent if half_pixel else op.Max(extent, op.like(1, extent))
    bin_size = op.Div(extent, float(bins))
    ratio = attribute(node, "sampling_ratio")
    count = op.constant([[[float(ratio)]]], extent.dtype) if ratio > 0 else op.Ceil(bin_size)
    most = op.Cast(op.ReduceMax(count, keepdims=0), to="int64")
    sample = cast_to(op, op.Range(0, op.Max(most, op.constant(1)), 1), extent)
    share = op.Div(op.Add(sample, 0.5), op.Max(count, op.like(1, count)))
    number = op.constant([[[float(k)] for k in range(bins)]], extent.dtype)
    at = op.Add(start, op.Mul(op.Add(number, share), bin_size))
    limit = cast_to(op, size, at)
    reaches = op.And(op.GreaterOrEqual(at, op.like(-1, at)), op.LessOrEqual(at, limit))
    valid = op.And(op.Less(sample, count), op.Equal(at, at))
    at = op.Min(op.Max(at, op.like(0, at)), op.Sub(limit, 1.0))
    return Samples(at, valid, op.And(valid, reaches), count)


def _mean_matrix(op: Ops, samples: Samples, size: Value) -> Value:
    """Give each pixel's share in the mean of each bin: (regions, bins, size)."""
    pixel = op.Range(0, op.Squeeze(size, [0]), 1)
    first, fraction = _split(op, samples.at)
    first = op.Unsqueeze(op.Cast(first, to="int64"), [3])
    nothing = op.like(0, fraction)
    before = op.Where(samples.inside, op.Sub(1.0, fraction), nothing)
    behind = op.Where(samples.inside, fraction, nothing)
    weights = op.Add(
        op.Where(op.Equal(pixel, first), op.Unsqueeze(before, [3]), nothing),
        op.Where(op.Equal(pixel, op.Add(first, 1)), op.Unsqueeze(behind, [3]), nothing),
    )
    total = op.ReduceSum(weights, [2], keepdims=0)
    return op.Div(total, op.Max(samples.count, op.like(1, total)))


def _split(op: Ops, at: Value) -> tuple[Value, Value]:
    """Split coordinates into the pixel before and the fraction after it."""
    first = op.Floor(at)
    return first, op.Sub(at, first)


@dataclass(frozen=True)
class Sampled:
    """The pixels that the samples of all regions read, and what they weigh.

    `pixels` is (regions, bins y, bins x, read, channels), read being samples y · samples x · 4;
    `weights` and `valid` are (regions, bins y, bins x, read), `count` is (regions, 1, 1, 1).
    """

    pixels: Value
    weights: Value
    valid: Value
    count: Value


def _sampled(op: Ops, x: Value, batch: Value, vertical: Samples, horizontal: Samples) -> Sampled:
    """Gather the four pixels around each sample: (regions, bins y, x, samples y, x, 2, 2)."""
    height, width = dimension(op, x, 2), dimension(op, x, 3)
    rows, row_weights = _pixel_pairs(op, vertical, height)
    columns, column_weights = _pixel_pairs(op, horizontal, width)
    images = op.Reshape(op.Cast(batch, to="int64"), [-1, 1, 1, 1, 1, 1, 1])
    places = op.Add(op.Mul(_across(op, rows, 0), width), _across(op, columns, 1))
    places = op.Add(places, op.Mul(images, op.Mul(height, width)))
    inside = op.And(
        op.Unsqueeze(vertical.inside, [2, 4, 5, 6]), op.Unsqueeze(horizontal.inside, [1, 3, 5, 6])
    )
    valid = op.And(
        op.Unsqueeze(vertical.valid, [2, 4, 5, 6]), op.Unsqueeze(horizontal.valid, [1, 3, 5, 6])
    )
    weights = op.Mul(_across(op, row_weights, 0), _across(op, column_weights, 1))
    weights = op.Where(inside, weights, op.like(0, weights))
    read = op.ReduceProd(op.Shape(places, start=3), [0], keepdims=1)
    listed = op.Concat(op.Shape(places, end=3), read, axis=0)
    flat = op.Concat(
        op.Mul(dimension(op, x, 0), op.Mul(height, width)), dimension(op, x, 1), axis=0
    )
    table = op.Reshape(op.Transpose(x, perm=[0, 2, 3, 1]), flat, allowzero=1)
    least = op.like(1, vertical.count)
    count = op.Mul(op.Max(vertical.count, least), op.Max(horizontal.count, least))
    return Sampled(
        op.Gather(table, op.Reshape(places, listed, allowzero=1), axis=0),
        op.Reshape(weights, listed, allowzero=1),
        op.Reshape(op.Expand(valid, op.Shape(places)), listed, allowzero=1),
        op.Unsqueeze(count, [3]),
    )


def _mean(op: Ops, sampled: Sampled) -> Value:
    """Add up the weighted pixels of each bin: (regions, channels, bins y, bins x)."""
    shares = op.Unsqueeze(op.Div(sampled.weights, sampled.count), [3])
    y = op.Squeeze(op.MatMul(shares, sampled.pixels), [3])
    return op.Transpose(y, perm=[0, 3, 1, 2])


def _maximum(op: Ops, sampled: Sampled) -> Value:
    """Take the maximum of the weighted pixels of each bin, 0 where it has none."""
    weighted = op.Mul(sampled.pixels, op.Unsqueeze(sampled.weights, [4]))
    lowest = op.like(float("-inf"), weighted)
    candidates = op.Where(op.Unsqueeze(sampled.valid, [4]), weighted, lowest)
    best = op.ReduceMax(candidates, [3], keepdims=0)
    some = op.Greater(best, lowest)
    return op.Transpose(op.Where(some, best, op.like(0, best)), perm=[0, 3, 1, 2])


def _pixel_pairs(op: Ops, samples: Samples, size: Value) -> tuple[Value, Value]:
    """Give both pixels of each sample along an axis, and weights: (regions, bins, samples, 2)."""
    first, fraction = _split(op, samples.at)
    before = op.Cast(first, to="int64")
    behind = op.Min(op.Add(before, 1), op.Sub(size, 1))
    pixels = op.Concat(op.Unsqueeze(before, [3]), op.Unsqueeze(behind, [3]), axis=3)
    rest = op.Sub(1.0, fraction)
    return pixels, op.Concat(op.Unsqueeze(rest, [3]), op.Unsqueeze(fraction, [3]), axis=3)


def _across(op: Ops, pairs: Value, axis: int) -> Value:
    """Lay (regions, bins, samples, 2) of y (0) or x (1) out in the common order of both axes."""
    return op.Unsqueeze(pairs, [2, 4, 6] if axis == 0 else [1, 3, 5])


@standard_body("MaxRoiPool", widens=True)
def max_roi_pool(op: Ops, node: Node) -> Value:
    """Take the maximum of each bin of each region, first along x, then along y; empty bins give 0.

    regions: (count, 5) of image, x1, y1, x2, y2, rounded to pixels, the last one included.
    """
    x, regions = node.required(2)
    regions, mark = _finite(op, regions)
    bins_y, bins_x = node.attributes["pooled_shape"]
    number = op.Cast(op.Gather(regions, 0, axis=1), to="int64")
    images = op.Gather(x, from_front(op, number, dimension(op, x, 0)), axis=0)
    in_row = _bin_members(op, node, regions, 1, bins_x, dimension(op, x, 3))
    in_column = _bin_members(op, node, regions, 2, bins_y, dimension(op, x, 2))
    lowest = op.like(float("-inf"), x)
    rows = op.Where(op.Unsqueeze(in_row, [1, 2]), op.Unsqueeze(images, [3]), lowest)
    narrow = op.ReduceMax(rows, [4], keepdims=0)
    turned = op.Unsqueeze(op.Transpose(narrow, perm=[0, 1, 3, 2]), [2])
    columns = op.Where(op.Unsqueeze(in_column, [1, 3]), turned, lowest)
    y = op.ReduceMax(columns, [4], keepdims=0)
    y = op.Where(op.Greater(y, lowest), y, op.like(0, x))
    return op.Where(op.IsNaN(mark), mark, y)


def _bin_members(op: Ops, node: Node, regions: Value, axis: int, bins: int, size: Value) -> Value:
    """Tell which pixels belong to which bin along one axis: (regions, bins, size)."""
    scale = attribute(node, "spatial_scale")
    start, end = (
        op.Unsqueeze(_rounded(op, op.Mul(op.Gather(regions, k, axis=1), scale)), [1, 2])
        for k in (axis, axis + 2)
    )
    extent = op.Max(op.Add(op.Sub(end, start), 1.0), op.like(1, start))
    bin_size = op.Div(extent, float(bins))
    number = op.constant([[[float(k)] for k in range(bins)]], extent.dtype)
    first = op.Add(start, op.Floor(op.Mul(number, bin_size)))
    behind = op.Add(start, op.Ceil(op.Mul(op.Add(number, 1.0), bin_size)))
    pixel = cast_to(op, op.Range(0, op.Squeeze(size, [0]), 1), extent)
    return op.And(op.GreaterOrEqual(pixel, first), op.Less(pixel, behind))


def _rounded(op: Ops, x: Value) -> Value:
    """Round halves away from zero."""
    return op.Mul(op.Sign(x), op.Floor(op.Add(op.Abs(x), 0.5)))
