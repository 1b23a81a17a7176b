"""Samples of operators that only move elements."""

from .sample import Sample, ints, random

SAMPLES = [
    Sample("Reshape", [random(2, 6), ints(3, -1)]),
    Sample("Reshape", [random(2, 6), ints(0, 2, 3)]),
    Sample("Squeeze", [random(2, 1, 3), ints(1)]),
    Sample("Unsqueeze", [random(2, 3), ints(0, -1)]),
    Sample("Flatten", [random(2, 3, 4)], {"axis": 2}),
    Sample("Transpose", [random(2, 3, 4)], {"perm": [1, 2, 0]}),
    Sample("Transpose", [random(2, 3)]),
    Sample("Expand", [random(2, 1), ints(4, 1, 3)]),
]
