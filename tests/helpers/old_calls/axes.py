"""Old calls whose axes, shapes and counts were attributes and are inputs now."""

from typing import Any

import numpy as np
from op_samples.sample import ints, random

from .call import OldCall

X, ROW = random(2, 3, 4), random(1, 3, 1)
POSITIVE = random(2, 3, 4, low=0.5, high=2.0)

REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
)  # fmt: skip


def padded(x: np.ndarray, how: dict[str, Any]) -> np.ndarray:
    """Pad the last two of three axes."""
    return np.pad(x, [(0, 0), (1, 1), (1, 2)], **how)


CALLS = [
    *(
        OldCall(op, [POSITIVE], attributes)
        for op in REDUCTIONS
        for attributes in (
            {"axes": [1]},
            {"axes": [0, 2], "keepdims": 0},
            {"axes": [-1], "keepdims": 0},
            {"keepdims": 0},
        )
    ),
    OldCall("Squeeze", [ROW], {"axes": [0]}, expected=lambda x: x[0]),
    OldCall("Squeeze", [ROW], {"axes": [2, 0]}, expected=lambda x: x[0, :, 0]),
    OldCall("Squeeze", [ROW], expected=np.squeeze),
    OldCall("Unsqueeze", [X], {"axes": [0, 4]}, expected=lambda x: x[None, ..., None]),
    OldCall("Reshape", [X], {"shape": [0, -1]}, expected=lambda x: x.reshape(2, 12)),
    OldCall(
        "Reshape",
        [X],
        {"shape": [4, 6], "consumed_inputs": [0]},
        expected=lambda x: x.reshape(4, 6),
    ),
    OldCall("Slice", [X], {"starts": [1], "ends": [9], "axes": [1]}, expected=lambda x: x[:, 1:]),
    OldCall("Slice", [X], {"starts": [0, -2], "ends": [1, -1]}, expected=lambda x: x[:1, -2:-1]),
    OldCall(
        "Split", [X], {"split": [1, 3], "axis": 2}, 2, expected=lambda x: (x[..., :1], x[..., 1:])
    ),
    OldCall(
        "Split",
        [X, np.array([1.0, 3.0])],
        {"axis": 2},
        2,
        expected=lambda x, _: (x[..., :1], x[..., 1:]),
        versions=[1],
        wrt=[0],
    ),
    OldCall("Split", [X], {"axis": 2}, 2, expected=lambda x: (x[..., :2], x[..., 2:])),
    OldCall("Split", [X], {"axis": -1}, 2, expected=lambda x: (x[..., :2], x[..., 2:])),
    OldCall("Split", [X], {}, 2, expected=lambda x: (x[:1], x[1:])),
    OldCall(
        "TopK",
        [X],
        {"k": 2},
        2,
        expected=lambda x: (-np.sort(-x)[..., :2], np.argsort(-x)[..., :2]),
    ),
    OldCall(
        "TopK",
        [X],
        {"k": 1, "axis": 1},
        2,
        expected=lambda x: (x.max(1, keepdims=True), x.argmax(1)[:, None]),
    ),
    *(
        OldCall(
            "Pad",
            [X],
            {name: [0, 1, 1, 0, 1, 2], **mode},
            expected=lambda x, m=numpy_mode: padded(x, m),
        )
        for name in ("paddings", "pads")
        for mode, numpy_mode in (
            ({}, {}),
            ({"value": 2.0}, {"constant_values": 2}),
            ({"mode": "reflect"}, {"mode": "reflect"}),
            ({"mode": "edge"}, {"mode": "edge"}),
        )
    ),
    OldCall(
        "Pad",
        [X],
        {"pads": [0, -1, 1, 0, 0, -2]},
        expected=lambda x: np.pad(x[:, 1:, :2], [(0, 0), (0, 0), (1, 0)]),
    ),
    OldCall("Concat", [X, X[:, :1]], expected=lambda a, b: np.concatenate([a, b], 1), versions=[1]),
    OldCall("DFT", [random(2, 5, 3, 1)], {"axis": 2}, versions=[17]),
    OldCall("DFT", [random(2, 5, 2)], {"inverse": 1}, versions=[17]),
    OldCall("DFT", [random(2, 5, 1)], {"onesided": 1}, versions=[17]),
    OldCall("DFT", [random(2, 5, 1), np.array(4)], versions=[17]),
    *(
        OldCall(op, [X], attributes)
        for op in ("ArgMax", "ArgMin")
        for attributes in ({}, {"axis": 1, "keepdims": 0}, {"axis": -1, "select_last_index": 1})
    ),
    *(
        OldCall(op, inputs, attributes, outputs)
        for op, inputs, attributes, outputs in (  # which onnxruntime takes at every version
            ("Concat", [X, X], {"axis": -1}, 1),
            ("Gather", [X, ints(0, -1)], {"axis": -1}, 1),
            ("LpNormalization", [X], {"axis": -2}, 1),
            ("Squeeze", [ROW], {"axes": [-1]}, 1),
            ("TopK", [X], {"axis": -2, "k": 2}, 2),
            ("TopK", [X, ints(2)], {"axis": -2}, 2),
            ("Unsqueeze", [X], {"axes": [-1]}, 1),
            ("Slice", [X], {"starts": [1], "ends": [3], "axes": [-1]}, 1),
            ("Slice", [X, ints(1), ints(3), ints(-1)], {}, 1),
            ("Compress", [X, np.array([True, False])], {"axis": -1}, 1),
            ("OneHot", [ints(0, 2), ints(3), random(2)], {"axis": -2}, 1),
        )
    ),
    OldCall(
        "Tile",
        [X, np.array([2.0]), np.array([1.0])],
        expected=lambda x, *_: np.tile(x, (1, 2, 1)),
        versions=[1],
        wrt=[0],
    ),
]
