"""Body of Resize: along each axis a product with a matrix, which scales and roi move smoothly."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..emission.accumulation import as_float32, cast_to, scatter
from ..emission.ops import Ops
from ..emission.positions import dimension
from ..emission.resampling import crops, keeps_aspect_ratio, limiting, multiplied, resized_axes
from ..errors import UnsupportedOpError
from ..graph.ir import Node, Value
from ..graph.types import is_float
from ..standard.schemas import attribute
from .registry import standard_body


@dataclass(frozen=True)
class Axis:
    """What becomes of one axis; each has shape (1,).

    `before` and `after` are its sizes, int64; `scale` and the ends of the crop, as shares of it,
    are of the dtype of the matrices.
    """

    before: Value
    after: Value
    scale: Value
    crop: tuple[Value, Value] | None


@standard_body("Resize")
def resize(op: Ops, node: Node) -> Value:
    """y = x ×₁ R₁ ×₂ R₂ …, or the extrapolation value at what lies outside of x along some axis

    R of an axis has shape (after, before). Half precision is computed in float32.

    Raises:
        UnsupportedOpError: mode nearest, integers, unknown rank.
    """
    x = node.first_input
    smooth = attribute(node, "mode") != "nearest" and is_float(x.dtype)
    if not smooth or x.rank is None:
        raise UnsupportedOpError("only smooth resizing of known rank has a body", [node.operator])
    y = as_float32(op, x)
    axes = resized_axes(node, x.rank)
    sizes = [dimension(op, x, axis) for axis in range(x.rank)]
    outside: list[Value] = []
    for where, axis in zip(axes, _axes(op, node, axes, y), strict=True):
        places = _places(op, node, axis)
        y = multiplied(op, y, _matrix(op, node, axis, places), where, sizes)
        sizes[where] = axis.after
        if crops(node):
            later = list(range(1, x.rank - where))
            beyond = _outside(op, axis, places)
            outside.append(op.Unsqueeze(beyond, later) if later else beyond)
    value = op.like(attribute(node, "extrapolation_value"), y)
    for beyond in outside:
        y = op.Where(beyond, value, y)
    return cast_to(op, y, x)


def _axes(op: Ops, node: Node, axes: Sequence[int], like: Value) -> list[Axis]:
    """Read the inputs: scales, or sizes, whose aspect ratio may have to be kept."""
    x, roi, scales = node.first_input, node.input(1), node.input(2)
    before = op.Gather(op.Shape(x), axes)
    if scales is not None:
        exact = op.Mul(op.Cast(before, to="float64"), op.Cast(scales, to="float64"))
        after = op.Cast(op.Floor(exact), to="int64")
        scales = cast_to(op, scales, like)
    else:
        (sizes,) = node.given(3)
        whole, after = before, sizes
        if keeps_aspect_ratio(node):
            chosen = limiting(op, node, before, sizes)
            sizes, whole = op.Gather(sizes, chosen), op.Gather(before, chosen)
            doubled = op.Add(op.Mul(op.Mul(before, sizes), 2), whole)
            after = op.Div(doubled, op.Mul(whole, 2))  # rounds before · sizes / whole, half up
        ratio = op.Div(cast_to(op, sizes, like), cast_to(op, whole, like))
        scales = op.Expand(ratio, op.Shape(before))
    crop = cast_to(op, roi, like) if roi is not None and crops(node) else None
    found = []
    for k in range(len(axes)):
        old, new, scale = (op.Gather(v, [k]) for v in (before, after, scales))
        ends = None
        if crop is not None:
            ends = op.Gather(crop, [k]), op.Gather(crop, [k + len(axes)])
        found.append(Axis(old, new, scale, ends))
    return found


def _places(op: Ops, node: Node, axis: Axis) -> Value:
    """Give where each sample of y lies along an axis of x: (after, 1).

    The length of y is scale · before, a fraction too, as in ONNX's reference.
    """
    transform = attribute(node, "coordinate_transformation_mode")
    scale = axis.scale
    after = op.Range(0, op.Squeeze(axis.after, [0]), 1)
    at = op.Unsqueeze(cast_to(op, after, scale), [1])
    before = cast_to(op, axis.before, scale)
    length, last = op.Mul(scale, before), op.Sub(before, 1.0)
    if transform == "asymmetric":
        return op.Div(at, scale)
    if transform in ("align_corners", "tf_crop_and_resize"):
        single = op.Equal(length, op.like(1, length))
        share = op.Div(at, op.Where(single, op.like(1, at), op.Sub(length, 1.0)))
        if axis.crop is None:
            return op.Mul(share, last)
        start, end = axis.crop
        share = op.Where(single, op.like(0.5, share), share)
        return op.Mul(op.Add(start, op.Mul(share, op.Sub(end, start))), last)
    result = op.Sub(op.Div(op.Add(at, 0.5), scale), 0.5)
    if transform == "pytorch_half_pixel":
        result = op.Where(op.Greater(axis.after, 1), result, op.like(0, result))
    if transform == "half_pixel_symmetric":
        kept = op.Div(cast_to(op, axis.after, scale), length)
        result = op.Add(result, op.Mul(op.Mul(before, 0.5), op.Sub(1.0, kept)))
    return result


def _outside(op: Ops, axis: Axis, places: Value) -> Value:
    """Tell which samples lie outside of x along an axis: (after,)."""
    flat = op.Squeeze(places, [1])
    last = op.Sub(cast_to(op, axis.before, flat), 1.0)
    return op.Or(op.Less(flat, op.like(0, flat)), op.Greater(flat, last))


def _matrix(op: Ops, node: Node, axis: Axis, places: Value) -> Value:
    """Give the weight of each element of x in each sample along an axis: (after, before).

    A sample reads the taps that its kernel reaches; taps outside of x read the element at its edge.
    Antialiasing widens the kernel by 1 / scale where that is more than 1.
    """
    cubic = node.attributes["mode"] == "cubic"
    antialias, excluded = (node.attributes.get(k, 0) for k in ("antialias", "exclude_outside"))
    reach = 2 if cubic else 1
    first = op.Floor(places)
    start, narrow = op.constant([1 - reach]), None
    if antialias:
        narrow = op.Min(axis.scale, op.like(1, axis.scale))
        wide = op.Div(op.like(-reach, narrow), narrow)
        start = op.Add(op.Cast(op.Floor(wide), to="int64"), 1)
    begin, behind = op.Squeeze(start, [0]), op.Squeeze(op.Sub(2, start), [0])
    offsets = op.Range(begin, behind, 1)
    distance = op.Sub(cast_to(op, offsets, places), op.Sub(places, first))
    distance = distance if narrow is None else op.Mul(distance, narrow)
    weights = _cubic(op, distance, node) if cubic else _linear(op, distance)
    taps = op.Add(op.Cast(first, to="int64"), offsets)
    if excluded:
        inside = op.And(op.GreaterOrEqual(taps, 0), op.Less(taps, axis.before))
        weights = op.Where(inside, weights, op.like(0, weights))
    if excluded or antialias:
        weights = _normalized(op, weights)
    taps = op.Min(op.Max(taps, [0]), op.Sub(axis.before, 1))
    nothing = op.Expand(op.like(0, weights), op.Concat(axis.after, axis.before, axis=0))
    return scatter(op, nothing, taps, weights, axis=1)


def _normalized(op: Ops, weights: Value) -> Value:
    """Divide the weights of each sample by their sum, where it is not zero."""
    total = op.ReduceSum(weights, [1], keepdims=1)
    nothing = op.Equal(total, op.like(0, total))
    return op.Div(weights, op.Where(nothing, op.like(1, total), total))


def _linear(op: Ops, distance: Value) -> Value:
    """1 − |d| within 1."""
    weights = op.Sub(1.0, _magnitude(op, distance))
    return op.Where(_within(op, distance, 1), weights, op.like(0, weights))


def _cubic(op: Ops, distance: Value, node: Node) -> Value:
    """Keys' kernel: (a + 2)|d|³ − (a + 3)|d|² + 1 within 1, a|d|³ − 5a|d|² + 8a|d| − 4a within 2"""
    a = attribute(node, "cubic_coeff_a")
    d = _magnitude(op, distance)
    near = op.Add(op.Mul(op.Mul(op.Sub(op.Mul(d, a + 2), a + 3), d), d), 1.0)
    far = op.Sub(op.Mul(op.Add(op.Mul(op.Sub(op.Mul(d, a), 5 * a), d), 8 * a), d), 4 * a)
    beyond = op.Where(_within(op, distance, 2), far, op.like(0, far))
    return op.Where(_within(op, distance, 1), near, beyond)


def _magnitude(op: Ops, distance: Value) -> Value:
    """|d|, whose slope at 0 is the one that taps have when the sample moves on; so is `_within`'s.

    So where pieces meet, all taps of a sample have their slopes to the same side.
    """
    positive = op.Greater(distance, op.like(0, distance))
    return op.Where(positive, distance, op.Neg(distance))


def _within(op: Ops, distance: Value, reach: int) -> Value:
    """−reach < d ≤ reach."""
    above = op.Greater(distance, op.like(-reach, distance))
    return op.And(above, op.LessOrEqual(distance, op.like(reach, distance)))
