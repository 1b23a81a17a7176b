"""Samples of operators that read images between their pixels."""

from itertools import product

from .sample import Sample, random

IMAGE = random(2, 2, 4, 3)
PLACES = random(2, 3, 2, 2, seed=1, low=-1.3, high=1.25)
VOLUME = random(1, 2, 3, 4, 3)
PLACES_3D = random(1, 2, 1, 2, 3, seed=2, low=-1.2, high=1.3)
CONVOLVED = random(1, 4, 4, 5)
WEIGHT = random(2, 4, 2, 2, seed=3)
OFFSET = random(1, 8, 3, 4, seed=4, low=-0.7, high=0.65)
MASK = random(1, 4, 3, 4, seed=5)
BIAS = random(2, seed=6)

SAMPLES = [
    *(
        Sample(
            "GridSample",
            [IMAGE, PLACES],
            {"mode": mode, "padding_mode": padding, "align_corners": corners},
            wrt=[0] if mode == "nearest" else None,
            # onnx.reference has its coordinates in float32
            forward_tolerance=1e-5,
        )
        for mode, padding, corners in product(
            ("linear", "cubic", "nearest"), ("zeros", "border", "reflection"), (0, 1)
        )
    ),
    *(
        Sample(
            "GridSample",
            [VOLUME, PLACES_3D],
            {"mode": mode, "padding_mode": padding},
            wrt=[0] if mode == "nearest" else None,
            forward_tolerance=1e-5,
        )
        for mode, padding in (("linear", "zeros"), ("linear", "reflection"), ("nearest", "border"))
    ),
    Sample(  # the reference divides by the distance between its borders, which are one
        "GridSample",
        [IMAGE[:, :, :1], PLACES],
        {"padding_mode": "reflection", "align_corners": 1},
        reference=False,
        label="one row",
    ),
    Sample("DeformConv", [CONVOLVED, WEIGHT, OFFSET], {"pads": [0] * 4}, forward_tolerance=1e-5),
    Sample("DeformConv", [CONVOLVED, WEIGHT, OFFSET, BIAS, MASK], {}, forward_tolerance=1e-5),
    Sample(
        "DeformConv",
        [
            random(2, 4, 4, 7),
            random(4, 2, 2, 3, seed=3),
            random(2, 24, 3, 2, seed=4, low=-0.7, high=0.65),
            None,
            random(2, 12, 3, 2, seed=5),
        ],
        {
            "group": 2,
            "offset_group": 2,
            "strides": [2, 2],
            "pads": [1, 0, 1, 1],
            "dilations": [1, 2],
            "kernel_shape": [2, 3],
        },
        forward_tolerance=1e-5,
    ),
]
