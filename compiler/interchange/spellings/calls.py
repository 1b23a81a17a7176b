"""Calls that some readers of models misunderstand, written so that every reader understands them.

The rewritten call is valid at any opset and means the same; without shapes a call stays as it is.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ...emission.accumulation import as_float32, cast_to, widened_from
from ...emission.ops import Ops
from ...emission.replacing import put_in_place
from ...emission.resampling import crops, keeps_aspect_ratio, resized_axes
from ...emission.windows import numbers
from ...graph.dims import add, negate
from ...graph.ir import Node, Value
from ...graph.types import is_static
from ...inference.shapes import elements_of
from ...inference.window_shapes import transposed_reach, transposed_shape
from ...standard.schemas import attribute
from ..downgrades import Downgrade, pad
from .einsum import einsum
from .products import matmul
from .windows import plain_windows

SPELLINGS: dict[str, Downgrade] = {
    "Einsum": einsum,
    "MatMul": matmul,
    "Pad": pad,
    **dict.fromkeys(["AveragePool", "LpPool", "MaxPool"], plain_windows),
    **dict.fromkeys(["Conv", "ConvInteger", "QLinearConv"], plain_windows),
}
"""For each operator its spelling. Of Pad, onnxruntime 1.32 moves a Transpose past one of some axes
as if it were one of all axes, and then fails."""

NEVER_WRITTEN = {"MeanVarianceNormalization"}
"""Operators that a file never calls: their spelling stands for them in every type."""


def spelling(op_type: str) -> Callable[[Downgrade], Downgrade]:
    """Register how an operator is written."""

    def register(function: Downgrade) -> Downgrade:
        SPELLINGS[op_type] = function
        return function

    return register


@spelling("STFT")
def one_sided(op: Ops, node: Node) -> bool:
    """Write its default, which ONNX's inference takes for another."""
    node.attributes.setdefault("onesided", 1)
    return True


@spelling("Slice")
def plain_slice(op: Ops, node: Node) -> bool:
    """Name the axes, and no end that runtimes read otherwise than the standard."""
    return any([_named_axes(op, node), _plain_ends(op, node)])


def _plain_ends(op: Ops, node: Node) -> bool:
    """Let steps back end at the last element where they end beyond it, as the standard has it.

    To onnxruntime the largest int32 and int64 are the end in every direction.
    """
    ends, steps = node.inputs[2], node.input(4)
    if ends is None or ends.constant is None or steps is None or steps.constant is None:
        return False
    largest = np.isin(ends.constant, [np.iinfo(d).max for d in ("int32", "int64")])
    mistaken = largest & (steps.constant < 0)
    if not mistaken.any():
        return False
    plain = op.constant(ends.constant - mistaken, ends.dtype)
    node.inputs = (*node.inputs[:2], plain, *node.inputs[3:])
    return True


def _named_axes(op: Ops, node: Node) -> bool:
    """Name the axes of fewer starts than axes: left out, they are all, as the standard has it.

    onnxruntime takes the first ones then, tinygrad 0.14 ends.
    """
    x, starts = node.required(2)
    count = (starts.shape or ("?",))[0]
    if node.input(3) is not None or not isinstance(count, int) or count == x.rank:
        return False
    given = [*node.inputs, None, None][:5]
    given[3] = op.constant(np.arange(count), starts.dtype)
    node.inputs = tuple(given if given[4] is not None else given[:4])
    return True


@spelling("Cast")
def as_it_was(op: Ops, node: Node) -> bool:
    """Take half precision that is widened and narrowed again as it was.

    onnxruntime 1.32 drops such a pair, and then misses it where a branch reads its result.
    """
    narrow = widened_from(op, node.first_input)
    if narrow is None or narrow.dtype != node.output().dtype:
        return False
    node.op_type, node.attributes, node.inputs = "Identity", {}, (narrow,)
    return True


@spelling("Expand")
def plain_expand(op: Ops, node: Node) -> bool:
    """Drop what lies along an axis that is expanded to 0, before; leave a number alone.

    onnxruntime 1.32 takes a 0 for a 1 where it leaves out an Expand that changes nothing, and
    OpenVINO 2026.4 gives a number an axis.
    """
    x, shape = node.required(2)
    sizes = elements_of(shape)
    if x.rank == 0 and sizes is not None and not len(sizes):
        node.op_type, node.inputs = "Identity", (x,)
        return True
    if sizes is None or 0 not in sizes or x.rank is None:
        return False
    axes = [a for a in range(-min(x.rank, len(sizes)), 0) if sizes[a] == 0]
    if not axes:
        return False
    node.inputs = (op.Slice(x, [0] * len(axes), [0] * len(axes), [x.rank + a for a in axes]), shape)
    return True


@spelling("MeanVarianceNormalization")
def by_mean_and_deviation(op: Ops, node: Node) -> bool:
    """(x − mean)/(√variance + 10⁻⁹)

    onnxruntime 1.32 leaves out the small number, so that equal elements give NaN, and so does
    float16, which cannot hold it. To no type but float32 can ONNX's body add it.
    """
    x, axes = node.first_input, attribute(node, "axes")
    if x.type is None:
        return False
    wide = as_float32(op, x)
    centered = op.Sub(wide, op.ReduceMean(wide, axes))
    deviation = op.Sqrt(op.ReduceMean(op.Mul(centered, centered), axes))
    y = op.Div(centered, op.Add(deviation, 1e-9))
    put_in_place(op, node, [cast_to(op, y, x)])
    return False


@spelling("Mod")
def floor_modulus(op: Ops, node: Node) -> bool:
    """x mod y for floats = r + y where r = fmod(x, y) ≠ 0 has not the sign of y, else r.

    onnxruntime 1.32 takes no other modulus of floats than fmod, nor does the standard before 28.
    """
    x, y = node.required(2)
    if attribute(node, "fmod") or x.dtype.kind in "iu":
        return False
    zero = op.like(0, x)
    r = op.Mod(x, y, fmod=1)
    moved = op.And(op.Xor(op.Less(r, zero), op.Less(y, zero)), op.Not(op.Equal(r, zero)))
    node.op_type, node.inputs, node.attributes = "Where", (moved, op.Add(r, y), r), {}
    return True


@spelling("Squeeze")
def as_many_axes_as_given(op: Ops, node: Node) -> bool:
    """Leave x as it is where axes are given and there are none: onnxruntime takes that for all.

    Where run time tells how many there are, x takes the shape of its other axes.
    """
    x, *rest = node.inputs
    axes = rest[0] if rest else None
    if x is None or axes is None or axes.shape is None:
        return False
    if axes.shape == (0,):
        node.op_type, node.inputs = "Identity", (x,)
        return True
    if is_static(axes.shape) or x.rank is None:
        return False
    ones = op.constant(np.ones(x.rank, np.int64))
    kept = op.ScatterElements(ones, axes, op.Expand(op.constant(0), op.Shape(axes)))
    shape = op.Compress(op.Shape(x), op.Cast(kept, to="bool"), axis=0)
    node.op_type, node.inputs, node.attributes = "Reshape", (x, shape), {"allowzero": 1}
    return True


@spelling("Scan")
def along_first_axes(op: Ops, node: Node) -> bool:
    """Turn what is read and written along other axes: onnxruntime's turning dies of no elements."""
    settings = dict(node.attributes)
    read = settings.pop("scan_input_axes", [0] * settings["num_scan_inputs"])
    states = len(node.inputs) - len(read)
    written = settings.pop("scan_output_axes", [0] * (len(node.outputs) - states))
    tapes = [*node.inputs[states:], *node.outputs[states:]]
    if not any((*read, *written)) or any(v is None or v.rank is None for v in tapes):
        return False
    inputs = [_turned(op, v, axis) for v, axis in zip(node.inputs[states:], read, strict=True)]
    names = [op.graph.names.fresh(f"{op.prefix}tape") if v else "" for v in node.outputs]
    found = op.emit_all("Scan", *node.inputs[:states], *inputs, outputs=names, **settings)
    back = [
        _turned(op, v, axis, back=True) for v, axis in zip(found[states:], written, strict=True)
    ]
    put_in_place(op, node, [*found[:states], *back])
    return False


def _turned(op: Ops, x: Value | None, axis: int, back: bool = False) -> Value:
    """Move an axis to the front, or the first axis to where that was."""
    assert x is not None
    rank = x.known_rank
    order = [axis % rank, *(k for k in range(rank) if k != axis % rank)]
    if back:
        order = [order.index(k) for k in range(rank)]
    return op.Transpose(x, perm=order) if axis % rank else x


@spelling("CenterCropPad")
def int64_shape(op: Ops, node: Node) -> bool:
    """Give the shape in int64: onnxruntime's body of it compares it with one."""
    x, shape = node.required(2)
    if shape.dtype == np.int64:
        return False
    node.inputs = (x, op.Cast(shape, to="int64"))
    return True


@spelling("Resize")
def resize(op: Ops, node: Node) -> bool:
    """Count axes from the front, and say what onnxruntime leaves out.

    It keeps the aspect ratio of axes at the front only.
    """
    x = node.first_input
    if x.rank is None:
        return False
    axes = resized_axes(node, x.rank)
    counted = "axes" in node.attributes and node.attributes["axes"] != axes
    if counted:
        node.attributes["axes"] = axes
    before = node.inputs
    _round_down(op, node, axes)
    _listed_length(op, node, len(axes))
    listed = node.inputs != before
    return _crop_to_the_same_size(op, node, axes) or listed or counted


def _crop_to_the_same_size(op: Ops, node: Node, axes: Sequence[int]) -> bool:
    """Crop to one more sample, at the same distances, and leave it out.

    Along axes whose size stays, onnxruntime does not look at the crop.
    """
    x, roi, scales, sizes = node.first_input, *(node.input(k) for k in (1, 2, 3))
    if roi is None or not crops(node) or keeps_aspect_ratio(node) or _is_looked_at(node, axes):
        return False
    before = op.Gather(op.Shape(x), axes)
    length, last = op.Add(before, 1), op.Max(op.Sub(before, 1), 1)
    start, end = op.Split(roi, num_outputs=2)
    whole = op.And(op.Equal(start, op.like(0, roi)), op.Equal(end, op.like(1, roi)))
    stays = op.Equal(before, sizes) if scales is None else op.Equal(scales, op.like(1, scales))
    several = op.Greater(before, 1)  # of one element there is nothing to crop
    overlooked = op.And(several, op.And(stays, op.Not(whole)))
    longer = op.Cast(overlooked, to="int64")
    if scales is None:
        sizes, length = op.Add(sizes, longer), cast_to(op, length, roi)
    else:  # a hair more than the quotient, so that no rounding makes it less
        more = op.Div(cast_to(op, length, scales), cast_to(op, before, scales))
        scales = op.Where(overlooked, op.Mul(more, 1 + 2.0**-22), scales)
        length = op.Mul(cast_to(op, scales, roi), cast_to(op, before, roi))
    share = op.Div(op.Sub(length, 1.0), cast_to(op, last, roi))
    reach = op.Mul(op.Sub(end, start), op.Where(overlooked, share, op.like(1, share)))
    crop = op.Concat(start, op.Add(start, reach), axis=0)
    resized = op.Resize(x, crop, scales, sizes, **node.attributes)
    kept = op.Sub(op.Gather(op.Shape(resized), axes), longer)
    node.op_type, node.attributes = "Slice", {}
    node.inputs = (resized, op.constant([0] * len(axes)), kept, op.constant(axes))
    return True


def _is_looked_at(node: Node, axes: Sequence[int]) -> bool:
    """Tell whether every axis certainly gets another size, has one element, or is not cropped."""
    x, y, roi, scales = node.first_input, node.output(), node.input(1), node.input(2)
    for k, axis in enumerate(axes):
        before, after = (None if v.shape is None else v.shape[axis] for v in (x, y))
        if isinstance(before, int) and isinstance(after, int) and (before != after or before == 1):
            continue
        if scales is not None and scales.constant is not None and scales.constant[k] != 1:
            continue
        if roi is None or roi.constant is None:
            return False
        if (roi.constant[k], roi.constant[k + len(axes)]) != (0, 1):
            return False
    return True


def _round_down(op: Ops, node: Node, axes: Sequence[int]) -> None:
    """Lessen scales by a last place where a product in float32 has one sample more: 5·1.4 is 7."""
    x, scales = node.first_input, node.input(2)
    if scales is None or scales.constant is None or scales.parameter or x.shape is None:
        return
    less = scales.constant.copy()
    for k, axis in enumerate(axes):
        size = x.shape[axis]
        if isinstance(size, int) and np.isfinite(less[k]):
            exact = np.floor(size * float(less[k]))
            while np.floor(np.float32(size) * less[k]) > exact:
                less[k] = np.nextafter(less[k], np.float32(0))
    if not np.array_equal(less, scales.constant):
        node.inputs = (*node.inputs[:2], op.constant(less), *node.inputs[3:])


def _listed_length(op: Ops, node: Node, count: int) -> bool:
    """Tell how many sizes or scales there are: ONNX's inference takes an unknown number for 0."""
    x = node.first_input
    told = [
        v if v is None or v is x or is_static(v.shape) else op.Reshape(v, [k])
        for v, k in zip(node.inputs, [0, 2 * count, count, count], strict=False)
    ]
    changed = told != list(node.inputs)
    node.inputs = tuple(told)
    return changed


@spelling("ConvTranspose")
def explicit_pads(op: Ops, node: Node) -> bool:
    """Write the padding: ONNX's inference knows other sizes by output_shape, and by SAME."""
    mode = attribute(node, "auto_pad")
    if "output_shape" not in node.attributes and not mode.startswith("SAME"):
        return False
    reach, wanted = transposed_reach(node), transposed_shape(node)
    if reach is None or wanted is None:
        return False
    totals = numbers([add(a, negate(b)) for a, b in zip(reach, wanted[2:], strict=True)])
    if totals is None or min(totals, default=0) < 0:
        return False
    begins = [t // 2 if mode == "SAME_UPPER" else t - t // 2 for t in totals]
    ends = [t - b for t, b in zip(totals, begins, strict=True)]
    placement = {"auto_pad", "output_shape", "pads"}
    free = {k: a for k, a in node.attributes.items() if k not in placement}
    node.attributes = {**free, "pads": [*begins, *ends]}
    return True
