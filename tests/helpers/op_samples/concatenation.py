"""Samples of what joins and cuts along an axis."""

import numpy as np

from .sample import Sample, ints, random

CUBE = random(3, 4, 5)
IMAGE = random(2, 4, 5)
VALUE = np.array(0.3)

SAMPLES = [
    Sample("Concat", [random(2, 3), random(2, 1), random(2, 2)], {"axis": 1}),
    Sample("Concat", [random(2, 3), random(0, 3), random(1, 3)], {"axis": 0}),
    Sample("Concat", [random(2, 3), random(2, 3, seed=1)], {"axis": -1}),
    Sample("Concat", [random(2, 3)], {"axis": 1}),
    Sample("Split", [random(4, 6)], {"axis": 1, "num_outputs": 3}),
    Sample("Split", [random(2, 7)], {"axis": -1, "num_outputs": 3}),
    Sample("Split", [random(5, 2), ints(1, 3, 1)], outputs=3),
    Sample("Split", [random(5, 2), ints(5, 0)], outputs=2),
    Sample("Slice", [CUBE, ints(1), ints(3)]),
    Sample("Slice", [CUBE, ints(1, -3), ints(100, -1), ints(-1, 0)]),
    Sample("Slice", [CUBE, ints(0, 1), ints(3, 5), ints(0, 2), ints(2, 3)]),
    Sample("Slice", [CUBE, ints(-1, 100), ints(-100, 0), ints(1, 2), ints(-1, -2)]),
    Sample("Slice", [CUBE, ints(3, 1), ints(0, -1), ints(1, 2), ints(-3, 2)]),
    Sample("Slice", [CUBE, ints(-2), ints(-(2**62)), ints(2), ints(-1)]),
    Sample("Slice", [CUBE, ints(1, -1), ints(100, -100), ints(1, 2), ints(2**31 - 1, 1 - 2**31)]),
    Sample("Slice", [CUBE, ints(3), ints(1), ints(1)], label="empty"),
    Sample("Slice", [CUBE, ints(1), ints(3), ints(1), ints(-1)], label="empty backwards"),
    Sample(
        "Slice",
        [CUBE, *(np.array(v, np.int32) for v in ([4, 0], [0, 3], [2, 0], [-2, 2]))],
        label="int32",
    ),
    Sample("Pad", [IMAGE, ints(0, 1, 2, 1, 0, 3)]),
    Sample("Pad", [IMAGE, ints(0, 1, 2, 1, 0, 3), VALUE]),
    Sample("Pad", [IMAGE, ints(1, 2, 0, 1), None, ints(2, -2)]),
    Sample("Pad", [IMAGE, ints(2, 0), VALUE, ints(-1)]),
    # onnx.reference refuses negative pads
    Sample("Pad", [IMAGE, ints(2, -1, 0, 1), VALUE, ints(1, 2)], reference=False),
    Sample("Pad", [IMAGE, ints(0, 1, 2, 1, 0, 3)], {"mode": "reflect"}),
    Sample("Pad", [IMAGE, ints(0, 2, 3, 0, 1, 1)], {"mode": "edge"}),
    Sample("Pad", [IMAGE, ints(0, 2, 3, 1, 1, 1)], {"mode": "wrap"}),
    Sample("Pad", [IMAGE, ints(2, 1), None, ints(-1)], {"mode": "reflect"}),
    # onnx.checker reads axes of int32 as int64
    Sample(
        "Pad",
        [IMAGE, ints(2, 0, 1, 3), VALUE, np.array([-1, 0], np.int32)],
        label="int32 axes",
        onnxruntime=False,
    ),
]
