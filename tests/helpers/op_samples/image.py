"""Samples of operators on images that are linear in them."""

import numpy as np

from .sample import Sample, ints, random

CACHE = random(2, 3, 5, 2)
UPDATE = random(2, 3, 2, 2, seed=1)

SAMPLES = [
    Sample("Col2Im", [random(1, 8, 6), ints(3, 4), ints(2, 2)]),
    Sample(
        "Col2Im",
        [random(2, 12, 6), ints(5, 6), ints(2, 3)],
        {"strides": [2, 2], "pads": [1, 0, 0, 1], "dilations": [1, 2]},
    ),
    Sample("Col2Im", [random(1, 8, 8), ints(3, 3, 3), ints(2, 2, 2)], {"strides": [1, 1, 1]}),
    # onnx.reference computes the grid in float32
    *(
        Sample("AffineGrid", [theta, size], {"align_corners": corners}, reference=False)
        for theta, size in (
            (random(2, 2, 3), ints(2, 1, 3, 4)),
            (random(1, 3, 4), ints(1, 2, 2, 3, 2)),
        )
        for corners in (0, 1)
    ),
    Sample("TensorScatter", [CACHE, UPDATE, ints(1, 3)]),
    Sample("TensorScatter", [CACHE, random(2, 3, 5, 1)], {"axis": 3}),
    Sample("TensorScatter", [CACHE, UPDATE, ints(4, 2)], {"mode": "circular"}),
    Sample("CenterCropPad", [random(4, 3), ints(2, 5)]),
    Sample("CenterCropPad", [random(4, 3, 3), ints(7, 2)], {"axes": [0, 2]}),
    Sample("CenterCropPad", [random(4, 3), np.array([2, 5], np.int32)], {"axes": [-1, 0]}),
]
