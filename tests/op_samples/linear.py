"""Samples of matrix products."""

from .sample import Sample, random

SAMPLES = [
    Sample("MatMul", [random(2, 3), random(3, 4)]),
    Sample("MatMul", [random(5, 2, 3), random(3, 4)]),
    Sample("MatMul", [random(5, 1, 2, 3), random(4, 3, 2)]),
    Sample("MatMul", [random(3), random(3, 4)]),
    Sample("MatMul", [random(5, 2, 3), random(3)]),
    Sample("MatMul", [random(3), random(3, seed=1)]),
]
