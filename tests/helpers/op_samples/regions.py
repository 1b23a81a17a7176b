"""Samples of operators that pool regions of interest."""

from itertools import product

import numpy as np

from .sample import Sample, ints, random

IMAGE = random(2, 2, 6, 7)
REGIONS = np.array([[0.3, 0.6, 3.45, 4.1], [1.2, 2.2, 7.3, 8.3], [-2.3, -1.7, 2.9, 1.13]])
OWNERS = ints(1, 0, 1)
POOLED = np.array([[0, 0.0, 1.0, 3.2, 4.0], [1, 2.0, 2.2, 9.0, 4.4], [1, 3.0, 3.0, 3.0, 3.0]])

SAMPLES = [
    *(
        Sample(
            "RoiAlign",
            [IMAGE, REGIONS, OWNERS],
            {
                "mode": mode,
                "coordinate_transformation_mode": transform,
                "sampling_ratio": ratio,
                "output_height": 2,
                "output_width": 3,
                "spatial_scale": 0.75,
            },
        )
        for mode, transform, ratio in product(
            ("avg", "max"), ("half_pixel", "output_half_pixel"), (2, 0)
        )
    ),
    # onnx.reference has no MaxRoiPool; where a region is rounded nothing depends on it
    *(
        Sample(
            "MaxRoiPool",
            [IMAGE, POOLED],
            {"pooled_shape": shape, "spatial_scale": scale},
            wrt=[0],
            reference=False,
        )
        for shape, scale in (([2, 3], 1.0), ([3, 2], 0.625))
    ),
]
