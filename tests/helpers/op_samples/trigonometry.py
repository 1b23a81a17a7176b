"""Samples of circular and hyperbolic functions and their inverses."""

from .sample import Sample, random

SAMPLES = [
    *(Sample(op, [random(2, 3)]) for op in ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan")),
    *(Sample(op, [random(2, 3)]) for op in ("Sinh", "Cosh", "Asinh", "Atanh")),
    Sample("Acosh", [random(2, 3, low=1.2, high=3.0)]),
]
