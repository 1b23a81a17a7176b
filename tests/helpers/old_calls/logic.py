"""Calls on truth values, integers and positions, in every form they had."""

import numpy as np
from op_samples.sample import ints, random

from .call import Array, OldCall

X, CHANNELS = random(2, 3, 4), random(3, seed=1)
SPECIAL = np.array([1.5, np.nan, np.inf, -np.inf])
HALVES = np.array([-1.5, -0.5, 0.0, 0.5, 1.5, 2.4])
YES = X > 0
BITS = np.array([1, 6, 12], np.uint8)
COUNTS = np.array([1, 2, 3], np.uint8)
BOXES = np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 10, 1, 11], [0, 0.9, 1, 1.9]]], np.float64)
SCORES = np.array([[[0.9, 0.75, 0.6, 0.95]]])

LOGICAL = {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}
ORDER = {"Greater": np.greater, "Less": np.less, "Equal": np.equal}
TRUTH = {**LOGICAL, **ORDER}


def pair(op: str, second: Array) -> list[Array]:
    """Give operands that the operator took at version 1."""
    if op in LOGICAL:
        return [YES, second > 0]
    if op == "Equal":
        return [np.round(X * 2).astype(np.int64), np.round(second * 2).astype(np.int64)]
    return [X, second]


CALLS = [
    *(
        OldCall(
            op,
            pair(op, b),
            {"broadcast": 1, **where},
            expected=lambda x, b, f=f, s=shape: f(x, b.reshape(s)),
        )
        for op, f in TRUTH.items()
        for b, shape, where in (
            (CHANNELS, (3, 1), {"axis": 1}),
            (random(2, seed=1), (2, 1, 1), {"axis": -3}),
            (random(3, 4, seed=1), (3, 4), {}),
        )
    ),
    *(OldCall(op, pair(op, X[::-1]), expected=f) for op, f in TRUTH.items()),
    *(OldCall(op, [X, X[::-1]]) for op in ("Equal", "GreaterOrEqual", "LessOrEqual")),
    OldCall("Equal", [np.array(["a", "b"], object), np.array(["a", "c"], object)]),
    OldCall("Not", [YES]),
    *(OldCall(op, [HALVES]) for op in ("Ceil", "Floor", "Round", "Sign")),
    OldCall("Sign", [np.array([-2, 0, 3])]),
    OldCall("IsNaN", [SPECIAL]),
    OldCall("IsInf", [SPECIAL]),
    OldCall("IsInf", [SPECIAL], {"detect_negative": 0}),
    *(OldCall("BitShift", [BITS, COUNTS], {"direction": d}) for d in ("LEFT", "RIGHT")),
    *(OldCall(f"Bitwise{op}", [BITS, COUNTS]) for op in ("And", "Or", "Xor")),
    OldCall("BitwiseNot", [BITS]),
    OldCall("NonMaxSuppression", [BOXES, SCORES, ints([2]), np.array([0.5], np.float32)]),
    OldCall(
        "NonMaxSuppression",
        [BOXES, SCORES, ints([3]), np.array([0.5], np.float32), np.array([0.7], np.float32)],
        {"center_point_box": 1},
    ),
    *(
        OldCall(f"{name}Window", [np.array(8)], {"periodic": p})
        for name in ("Hann", "Hamming", "Blackman")
        for p in (0, 1)
    ),
    OldCall(
        "MelWeightMatrix",
        [
            np.array(4),
            np.array(16),
            np.array(8192),
            np.array(0.0, np.float32),
            np.array(4096.0, np.float32),
        ],
    ),
]
