"""Upgrades of resizing and sampling: modes that were implied or had other names."""

from ..ops import Ops
from .registry import Call, upgrade


@upgrade("Upsample", before=7)
def upsample_of_version_1(op: Ops, call: Call) -> None:
    """Two attributes become one."""
    height, width = call.take("height_scale"), call.take("width_scale")
    call.attributes["scales"] = [1.0, 1.0, height, width]


@upgrade("Upsample", before=9)
def upsample_scales(op: Ops, call: Call) -> None:
    """The scales become an input."""
    call.inputs = [call.inputs[0], op.constant(call.take("scales"), "float32")]


@upgrade("Upsample", before=10)
def upsample(op: Ops, call: Call) -> None:
    """Upsample is Resize without shifts of half a pixel."""
    call.op_type = "Resize"
    resize_of_version_10(op, call)


@upgrade("Resize", before=11)
def resize_of_version_10(op: Ops, call: Call) -> None:
    """Coordinates were only scaled, and the nearest was the one below."""
    mode = call.attributes.get("mode", "nearest")
    if mode == "bilinear":
        call.attributes["mode"] = "linear"
    call.attributes["coordinate_transformation_mode"] = "asymmetric"
    if mode == "nearest":
        call.attributes["nearest_mode"] = "floor"
    call.inputs = [call.inputs[0], None, call.inputs[1]]


@upgrade("Resize", before=13)
def resize_of_version_11(op: Ops, call: Call) -> None:
    """Empty tensors stood for omitted inputs; one coordinate mode was dropped.

    tf_half_pixel_for_nn reads (i + ½)/scale, half_pixel ½ less: floor of the one is the other
    rounded, half up, and rounding the one half down is the ceiling of the other.
    """
    call.inputs = [v if v is None or v.type.shape != (0,) else None for v in call.inputs]  # type: ignore[union-attr]  # Resize takes tensors
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
