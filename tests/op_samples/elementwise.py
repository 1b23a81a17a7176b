"""Samples of elementwise arithmetic."""

from .sample import Sample, random

SAMPLES = [
    Sample("Add", [random(2, 3), random(2, 3, seed=1)]),
    Sample("Add", [random(2, 3), random(3, seed=1)]),
    Sample("Sub", [random(2, 1), random(2, 3, seed=1)]),
    Sample("Mul", [random(4, 1, 3), random(2, 1)]),
    Sample("Div", [random(2, 3), random(3, low=0.5, high=2.0)]),
    Sample("Neg", [random(2, 3)]),
    Sample("Exp", [random(2, 3)]),
    Sample("Log", [random(2, 3, low=0.5, high=2.0)]),
    Sample("Identity", [random(2, 3)]),
]
