"""Samples of the softmax and its logarithm."""

from .sample import Sample, random

WIDE = random(2, 3, 4, low=-3, high=3)

SAMPLES = [
    Sample(op, [WIDE], mode)
    for op in ("Softmax", "LogSoftmax")
    for mode in ({}, {"axis": 1}, {"axis": 0}, {"axis": -3})
]
