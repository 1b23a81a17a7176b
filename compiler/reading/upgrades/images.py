"""Upgrades of resizing and sampling: modes that were implied or had other names."""

from collections.abc import Callable

import numpy as np

from ...emission.ops import Ops
from ...graph.ir import Value
from .registry import ALWAYS, Call, upgrade


@upgrade("Upsample", before=7)
def upsample_of_version_1(op: Ops, call: Call) -> None:
    """Two attributes become one."""
    height, width = call.take("height_scale"), call.take("width_scale")
    call.attributes["scales"] = [1.0, 1.0, height, width]


@upgrade("Upsample", before=9)
def upsample_scales(op: Ops, call: Call) -> None:
    """The scales become an input."""
    call.inputs = [call.inputs[0], op.constant(call.take("scales"), "float32")]


@upgrade("Upsample", before=ALWAYS)
def upsample(op: Ops, call: Call) -> None:
    """Upsample is Resize without shifts of half a pixel; version 10 dropped it for that."""
    call.op_type = "Resize"
    _asymmetric(call)


@upgrade("Resize", before=11)
def resize_of_version_10(op: Ops, call: Call) -> None:
    """The nearest sample was the one below where an axis grows and above where it shrinks.

    So ONNX's own test of that version has it, and onnxruntime.
    """
    scales = call.tensor(1)
    if call.attributes.get("mode", "nearest") == "nearest":
        growing, shrinking = op.Max(scales, 1.0), op.Min(scales, 1.0)
        call.inputs[1] = growing
        if shrinking.constant is None or np.any(shrinking.constant < 1):
            nearest = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"}
            call.inputs[0] = op.Resize(call.tensor(0), None, shrinking, **nearest)
    _asymmetric(call)


def _asymmetric(call: Call) -> None:
    """Coordinates are only scaled; the nearest sample is the one below."""
    if call.attributes.get("mode") == "bilinear":
        call.attributes["mode"] = "linear"
    call.attributes["coordinate_transformation_mode"] = "asymmetric"
    if call.attributes.get("mode", "nearest") == "nearest":
        call.attributes["nearest_mode"] = "floor"
    call.inputs = [call.inputs[0], None, call.inputs[1]]


@upgrade("Resize", before=ALWAYS)
def resize_omitted(op: Ops, call: Call) -> None:
    """Empty tensors stood for omitted inputs to version 12; exporters go on writing them.

    So do empty axes, to runtimes.
    """
    if not call.attributes.get("axes", [0]):
        call.take("axes")
    call.inputs = [v if v is None or v.type.shape != (0,) else None for v in call.inputs]  # type: ignore[union-attr]  # Resize takes tensors


@upgrade("Resize", before=19)
def tf_half_pixel(op: Ops, call: Call) -> None:
    """Version 13 dropped a mode that exporters went on writing: it reads at (i + ½)/scale.

    half_pixel reads ½ before: floor of the one is the other rounded, half up, and rounding the one
    half down is the ceiling of the other. An axis whose scale is 1 stays, as in onnxruntime.
    """
    attributes = call.attributes
    if attributes.get("coordinate_transformation_mode") != "tf_half_pixel_for_nn":
        return
    if new := {"antialias", "axes", "keep_aspect_ratio_policy"} & {*attributes}:
        raise call.refusal(f"tf_half_pixel_for_nn was dropped before there was {sorted(new)[0]}")
    resize_omitted(op, call)
    same = {"floor": "round_prefer_ceil", "round_prefer_floor": "ceil"}
    nearest = attributes.get("nearest_mode", "round_prefer_floor")
    if attributes.get("mode", "nearest") != "nearest":
        _crop_beyond(op, call)
    elif nearest in same:
        attributes["coordinate_transformation_mode"] = "half_pixel"
        attributes["nearest_mode"] = same[nearest]
    else:
        _gather_nearest(op, call, op.Ceil if nearest == "ceil" else _round_half_up(op))


def _round_half_up(op: Ops) -> Callable[[Value], Value]:
    return lambda at: op.Floor(op.Add(at, 0.5))


def _lengths(op: Ops, call: Call) -> tuple[Value, Value, Value]:
    """Give each axis' length before a Resize, after it, and the scale."""
    before, scales = op.Shape(call.tensor(0)), call.input(2)
    length = op.Cast(before, to="float32")
    if scales is not None:
        return before, op.Cast(op.Floor(op.Mul(length, scales)), to="int64"), scales
    sizes = call.tensor(3)
    return before, sizes, op.Div(op.Cast(sizes, to="float32"), length)


def _crop_beyond(op: Ops, call: Call) -> None:
    """Crop from ½/(s·L) to (L' − ½)/(s·L) of x with its last elements repeated: L' samples."""
    if call.attributes.get("exclude_outside", 0):
        raise call.refusal("tf_half_pixel_for_nn with exclude_outside was dropped from ONNX")
    before, after, scales = _lengths(op, call)
    moves = op.Not(op.Equal(scales, 1.0))
    added = op.Cast(moves, to="int64")
    shift = op.Mul(op.Cast(moves, to="float32"), 0.5)
    whole = op.Mul(op.Cast(op.Sub(op.Add(before, added), 1), to="float32"), scales)
    whole = op.Max(whole, 1.0)  # 0 where an axis of one element stays
    last = op.Add(op.Cast(op.Sub(after, 1), to="float32"), shift)
    roi = op.Concat(op.Div(shift, whole), op.Div(last, whole), axis=0)
    pads = op.Concat(op.Mul(added, 0), added, axis=0)
    call.inputs = [op.Pad(call.tensor(0), pads, mode="edge"), roi, None, after]
    call.attributes["coordinate_transformation_mode"] = "tf_crop_and_resize"


def _gather_nearest(op: Ops, call: Call, rounded: Callable[[Value], Value]) -> None:
    """Read x along each axis at (i + ½)/s, rounded; beyond its end its last element."""
    before, after, scales = _lengths(op, call)
    shifts = op.Where(op.Equal(scales, 1.0), op.like(0, scales), op.like(0.5, scales))
    y = call.tensor(0)
    for axis in range(call.rank(0)):
        count, shift, scale, length = (op.Gather(v, axis) for v in (after, shifts, scales, before))
        places = op.Add(op.Cast(op.Range(0, count, 1), to="float32"), shift)
        indices = op.Cast(rounded(op.Div(places, scale)), to="int64")
        y = op.Gather(y, op.Min(indices, op.Sub(length, 1)), axis=axis)
    call.give(op, [y])


@upgrade("GridSample", before=20)
def grid_sample(op: Ops, call: Call) -> None:
    """The modes lost their "bi"."""
    mode = call.attributes.get("mode", "bilinear")
    call.attributes["mode"] = mode.removeprefix("bi")


@upgrade("RoiAlign", before=16)
def roi_align(op: Ops, call: Call) -> None:
    """Boxes were not shifted by half a pixel."""
    call.attributes["coordinate_transformation_mode"] = "output_half_pixel"
