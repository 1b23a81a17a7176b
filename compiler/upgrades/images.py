"""Upgrades of resizing and sampling: modes that were implied or had other names."""

import numpy as np

from ..ops import Ops
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
    """Empty tensors stood for omitted inputs to version 12; exporters go on writing them."""
    call.inputs = [v if v is None or v.type.shape != (0,) else None for v in call.inputs]  # type: ignore[union-attr]  # Resize takes tensors


@upgrade("Resize", before=13)
def resize_of_version_11(op: Ops, call: Call) -> None:
    """One coordinate mode was dropped.

    tf_half_pixel_for_nn reads (i + ½)/scale, half_pixel ½ less: floor of the one is the other
    rounded, half up, and rounding the one half down is the ceiling of the other.
    """
    attributes = call.attributes
    if attributes.get("coordinate_transformation_mode") != "tf_half_pixel_for_nn":
        return
    same = {"floor": "round_prefer_ceil", "round_prefer_floor": "ceil"}
    nearest = attributes.get("nearest_mode", "round_prefer_floor")
    if attributes.get("mode", "nearest") != "nearest" or nearest not in same:
        raise call.refusal(f"tf_half_pixel_for_nn with {nearest} was dropped from ONNX")
    attributes["coordinate_transformation_mode"] = "half_pixel"
    attributes["nearest_mode"] = same[nearest]


@upgrade("GridSample", before=20)
def grid_sample(op: Ops, call: Call) -> None:
    """The modes lost their "bi"."""
    mode = call.attributes.get("mode", "bilinear")
    call.attributes["mode"] = mode.removeprefix("bi")


@upgrade("RoiAlign", before=16)
def roi_align(op: Ops, call: Call) -> None:
    """Boxes were not shifted by half a pixel."""
    call.attributes["coordinate_transformation_mode"] = "output_half_pixel"
