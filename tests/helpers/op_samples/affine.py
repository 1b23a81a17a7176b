"""Samples of AffineGrid, in two and three dimensions."""

from .sample import Sample, ints, random

SAMPLES = [
    # onnx.reference computes in float32
    Sample(
        "AffineGrid",
        [random(2, axes, axes + 1), ints(2, 3, *sizes)],
        {"align_corners": corners},
        forward_tolerance=1e-6,
    )
    for axes, sizes in ((2, (3, 4)), (3, (2, 3, 2)))
    for corners in (0, 1)
]
