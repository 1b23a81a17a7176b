"""Samples of operators that choose between their operands, element by element."""

import numpy as np

from .sample import Sample, random

MASK = np.array([[True, False, True], [False, False, True]])
LOW, HIGH = np.array(-0.33), np.array(0.45)

SAMPLES = [
    Sample("Where", [MASK, random(2, 3), random(2, 3, seed=1)]),
    Sample("Where", [MASK, random(2, 1), random(3, seed=1)]),
    Sample("Where", [MASK[:, :1], random(2, 3), random(1, seed=1)]),
    Sample("Max", [random(2, 3), random(2, 3, seed=1)]),
    Sample("Max", [random(2, 3), random(3, seed=1), random(2, 1, low=-0.9)]),
    Sample("Max", [random(2, 3)]),
    Sample("Min", [random(2, 3), random(2, 3, seed=1)]),
    Sample("Min", [random(2, 3), random(3, seed=1), random(2, 1, low=-0.9)]),
    Sample("Min", [random(2, 3)]),
    Sample("Clip", [random(3, 3)]),
    Sample("Clip", [random(3, 3), LOW]),
    Sample("Clip", [random(3, 3), None, HIGH]),
    Sample("Clip", [random(3, 3), LOW, HIGH]),
    Sample("Clip", [random(3, 3), HIGH, LOW], label="low above high"),
]
