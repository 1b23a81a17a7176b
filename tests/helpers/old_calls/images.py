"""Old calls of resizing and sampling: modes that were implied or had other names."""

import numpy as np
from op_samples.regions import IMAGE, OWNERS, POOLED, REGIONS
from op_samples.sample import random

from .call import OldCall

SMALL = random(1, 2, 3, 4)
DOUBLE = np.array([1, 1, 2, 2], np.float32)
UNEVEN = np.array([1, 1, 1.7, 2.5], np.float32)
SHRINKING = np.array([1, 1, 0.6, 0.75], np.float32)
NONE = np.zeros(0, np.float32)

CALLS = [
    OldCall(
        "Upsample",
        [SMALL],
        {"height_scale": 2.0, "width_scale": 3.0},
        expected=lambda x: x.repeat(2, 2).repeat(3, 3),
    ),
    OldCall(
        "Upsample",
        [SMALL],
        {"height_scale": 2.0, "width_scale": 2.0, "mode": "bilinear"},
        like=OldCall("Upsample", [SMALL, DOUBLE], {"mode": "linear"}),
        as_of=9,
    ),
    *(
        OldCall("Upsample", [SMALL], {"scales": list(map(float, scales)), "mode": mode})
        for scales in (DOUBLE, UNEVEN)
        for mode in ("nearest", "linear")
    ),
    *(
        OldCall("Upsample", [SMALL, scales], {"mode": mode})
        for scales in (DOUBLE, UNEVEN)
        for mode in ("nearest", "linear")
    ),
    *(
        OldCall("Resize", [SMALL, scales], {"mode": mode}, versions=[10])
        for scales in (DOUBLE, UNEVEN, SHRINKING)
        for mode in ("nearest", "linear")
    ),
    *(
        OldCall("Resize", [SMALL, NONE, scales], {"mode": mode, **place}, versions=[11, 13])
        for scales in (DOUBLE, SHRINKING)
        for mode in ("nearest", "linear", "cubic")
        for place in ({}, {"coordinate_transformation_mode": "align_corners"})
    ),
    OldCall(
        "Resize", [SMALL, NONE, NONE, np.array([1, 2, 5, 6])], {"mode": "linear"}, versions=[11, 13]
    ),
    *(
        OldCall(
            "Resize",
            [SMALL, NONE, scales],
            {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": rounding},
            versions=[11],
        )
        for scales in (UNEVEN, SHRINKING, DOUBLE)
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    ),
    *(
        OldCall(
            "Resize",
            [SMALL, NONE, *sizes],
            {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "mode": mode},
            versions=[11],
        )
        for sizes in ([UNEVEN], [SHRINKING], [NONE, np.array([1, 2, 5, 6])])
        for mode in ("linear", "cubic")
    ),
    # onnxruntime takes other samples for bicubic at the border; op_samples has that mode
    *(
        OldCall(
            "GridSample",
            [SMALL, random(1, 2, 3, 2, seed=1, low=-1.2, high=1.15)],
            {"mode": mode, "padding_mode": padding},
            wrt=[0] if mode == "nearest" else None,
            versions=[16],
        )
        for mode in ("bilinear", "bicubic", "nearest")
        for padding in ("zeros", "border", "reflection")
        if (mode, padding) != ("bicubic", "border")
    ),
    *(
        OldCall(
            "RoiAlign",
            [IMAGE, REGIONS, OWNERS],
            {
                "mode": mode,
                "output_height": 2,
                "output_width": 3,
                "sampling_ratio": 2,
                "spatial_scale": 0.75,
            },
            versions=[10, 16],
        )
        for mode in ("avg", "max")
    ),
    OldCall("MaxRoiPool", [IMAGE, POOLED], {"pooled_shape": [2, 3]}, wrt=[0], as_of=1),
]
