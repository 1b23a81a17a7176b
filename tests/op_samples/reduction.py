"""Samples of reductions."""

from .sample import Sample, ints, random

SAMPLES = [
    Sample("ReduceSum", [random(2, 3, 4), ints(0, -1)]),
    Sample("ReduceSum", [random(2, 3, 4), ints(1)], {"keepdims": 0}),
    Sample("ReduceSum", [random(2, 3)]),
    Sample("ReduceSum", [random(2, 3)], {"keepdims": 0}),
]
