"""Samples of Resize: every mode, way to place samples and rounding."""

from dataclasses import replace
from typing import Any

import numpy as np

from .sample import Sample, ints, random

IMAGE = random(1, 2, 4, 5)
UP = np.array([1.0, 1.0, 1.5, 2.0], np.float32)
DOWN = np.array([1.0, 1.0, 0.6, 0.45], np.float32)
CROP = {0: (0, 1), 1: (0.15, 0.75), 2: (0.1, 0.7), 3: (0.2, 1.13)}
PLACES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
)


def scaled(scales: np.ndarray, /, **attributes: Any) -> Sample:
    """Give a sample by scales of all axes.

    Where scale × size is no whole number, onnxruntime aligns corners by the rounded size.
    """
    corners = attributes.get("coordinate_transformation_mode") == "align_corners"
    return Sample(
        "Resize",
        [IMAGE, None, scales],
        attributes,
        wrt=[0],
        label=_label(attributes),
        onnxruntime=not (corners and scales is DOWN),
        forward_tolerance=_tolerance(attributes),
    )


def sized(*sizes: int, image: np.ndarray = IMAGE, **attributes: Any) -> Sample:
    """Give a sample by sizes."""
    inputs = [image, None, None, ints(*sizes)]
    return Sample(
        "Resize",
        inputs,
        attributes,
        wrt=[0],
        label=_label(attributes),
        forward_tolerance=_tolerance(attributes),
    )


def cropped(target: np.ndarray, /, **attributes: Any) -> Sample:
    """Give a sample by sizes or scales of a crop that reaches beyond the image."""
    scales, sizes = (target, None) if target.dtype == np.float32 else (None, target)
    axes = [axis % 4 for axis in attributes.get("axes", range(4))]
    roi = np.array([CROP[axis][end] for end in (0, 1) for axis in axes], np.float64)
    settings = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 10.0}
    return Sample(
        "Resize",
        [IMAGE, roi, scales, sizes],
        {**settings, **attributes},
        wrt=[0] if attributes["mode"] == "nearest" else [0, 1],
        label=_label({"crop": "crop", **attributes}),
        forward_tolerance=_tolerance(attributes),
    )


def _tolerance(attributes: dict[str, Any]) -> float:
    """onnx.reference computes the weights of cubic neighbours in float32."""
    return 1e-5 if attributes["mode"] == "cubic" else 1e-12


def _label(attributes: dict[str, Any]) -> str:
    return ",".join(map(str, attributes.values()))


SAMPLES = [
    *(
        scaled(UP, mode="nearest", nearest_mode=rounding)
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    ),
    *(
        scaled(scales, mode=mode, coordinate_transformation_mode=place)
        for scales in (UP, DOWN)
        for mode in ("linear", "cubic")
        for place in PLACES
    ),
    scaled(DOWN, mode="nearest"),
    scaled(DOWN, mode="linear", antialias=1),
    scaled(DOWN, mode="cubic", antialias=1),
    scaled(UP, mode="linear", antialias=1),
    scaled(DOWN, mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1),
    sized(1, 2, 7, 3, mode="linear"),
    sized(1, 2, 1, 9, mode="cubic", coordinate_transformation_mode="align_corners"),
    sized(1, 2, 1, 9, mode="linear", coordinate_transformation_mode="pytorch_half_pixel"),
    sized(8, 3, mode="linear", axes=[3, 2]),
    sized(8, 3, mode="nearest", axes=[2, 3]),
    sized(7, 8, mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger"),
    sized(7, 8, mode="cubic", axes=[2, 3], keep_aspect_ratio_policy="not_smaller"),
    sized(3, 3, mode="nearest", axes=[3, 2], keep_aspect_ratio_policy="not_larger"),
    # onnxruntime has no linear mode for one axis
    replace(sized(7, image=random(4), mode="linear"), onnxruntime=False),
    sized(3, 7, image=random(4, 5), mode="linear"),
    sized(2, 3, 7, image=random(2, 4, 5), mode="linear", axes=[0, 1, 2]),
    *(cropped(ints(1, 2, 3, 6), mode=mode) for mode in ("nearest", "linear", "cubic")),
    cropped(ints(1, 2, 1, 6), mode="linear"),
    cropped(ints(1, 2, 2, 3), mode="linear", antialias=1),
    cropped(ints(1, 2, 2, 3), mode="cubic", antialias=1, exclude_outside=1),
    cropped(ints(1, 2, 3, 6), mode="cubic", cubic_coeff_a=-0.5, exclude_outside=1),
    cropped(UP, mode="linear"),
    cropped(DOWN, mode="cubic"),
    cropped(ints(8, 3), mode="linear", axes=[3, 2]),
    cropped(ints(7, 8), mode="cubic", axes=[2, 3], keep_aspect_ratio_policy="not_larger"),
    cropped(ints(7, 8), mode="linear", axes=[3, 2], keep_aspect_ratio_policy="not_smaller"),
]
