"""Samples of operators that only move elements."""

import numpy as np

from .sample import Sample, ints, random

SAMPLES = [
    Sample("Reshape", [random(2, 6), ints(3, -1)]),
    Sample("Reshape", [random(2, 6), ints(0, 2, 3)]),
    Sample("Reshape", [random(0, 3), ints(3, 0)], {"allowzero": 1}),
    Sample("Squeeze", [random(2, 1, 3), ints(1)]),
    Sample("Squeeze", [random(1, 2, 1)]),
    Sample("Unsqueeze", [random(2, 3), ints(0, -1)]),
    Sample("Flatten", [random(2, 3, 4)], {"axis": 2}),
    Sample("Flatten", [random(2, 3, 4)], {"axis": -2}),
    Sample("Flatten", [random(2, 3)], {"axis": 0}),
    Sample("Transpose", [random(2, 3, 4)], {"perm": [1, 2, 0]}),
    Sample("Transpose", [random(2, 3)]),
    Sample("Expand", [random(2, 1), ints(4, 1, 3)]),
    Sample("Expand", [random(3), ints(1)]),
    Sample("Tile", [random(2, 3), ints(2, 3)]),
    Sample("Tile", [random(2, 1, 3), ints(1, 4, 2)]),
    Sample("Trilu", [random(3, 4)]),
    Sample("Trilu", [random(2, 3, 3), np.array(-1)], {"upper": 0}),
    Sample("Trilu", [random(4, 3), np.array(1)], {"upper": 1}),
    Sample("DepthToSpace", [random(2, 8, 2, 3)], {"blocksize": 2}),
    Sample("DepthToSpace", [random(2, 8, 2, 3)], {"blocksize": 2, "mode": "CRD"}),
    Sample("SpaceToDepth", [random(2, 2, 4, 6)], {"blocksize": 2}),
    # the mode is younger than the opset that is exported
    Sample(
        "SpaceToDepth",
        [random(2, 2, 4, 6)],
        {"blocksize": 2, "mode": "CRD"},
        onnxruntime=False,
    ),
    Sample("Range", [np.array(0.5), np.array(3.2), np.array(0.75)], wrt=[0, 2]),
    Sample(
        "Range", [np.array(0.5), np.array(-3.2), np.array(-0.75)], wrt=[0, 2], second_order=False
    ),
]
