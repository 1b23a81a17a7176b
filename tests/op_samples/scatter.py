"""Samples of operators that write by index."""

import numpy as np

from .sample import Sample, ints, random

X = random(3, 4, low=0.5, high=2)
ROWS = ints([[1, 0, 2, 0], [2, -3, 1, -1]])
ONCE = ints([[1, 0, 2, 0], [2, 1, 0, -1]])
UPDATES = random(2, 4, seed=1, low=0.4, high=2.2)
WITH_ZEROS = np.where(np.arange(8).reshape(2, 4) % 3 == 0, 0.0, UPDATES)
TUPLES = ints([[1], [0], [1]])
UPDATE_ROWS = random(3, 4, seed=2, low=0.4, high=2.2)
TWO_ZEROS = np.array([[0.0, 0, 1.5, 0], [1.2, 0, 0.7, 0], [0, 0, 0.9, 1.1]])

SAMPLES = [
    Sample("ScatterElements", [X, ONCE, UPDATES]),
    Sample("ScatterElements", [X, ints([[1, -1], [0, 2]]), random(2, 2)], {"axis": 1}),
    Sample("ScatterElements", [X, ROWS, UPDATES], {"reduction": "add"}),
    Sample("ScatterElements", [X, ROWS, UPDATES], {"reduction": "mul"}),
    Sample(
        "ScatterElements",
        [X, ROWS, WITH_ZEROS],
        {"reduction": "mul"},
        label="mul by zero",
    ),
    Sample(
        "ScatterElements",
        [X, ints([[1, 0, 0, 2], [1, 0, 0, 1], [1, 0, 2, 1]]), TWO_ZEROS],
        {"reduction": "mul"},
        label="mul by two and three zeros",
    ),
    Sample(
        "ScatterElements",
        [np.where(X < 1, 0.0, X), ROWS, WITH_ZEROS],
        {"reduction": "mul"},
        label="mul of zeros by zeros",
    ),
    Sample("ScatterElements", [X, ROWS, UPDATES], {"reduction": "min"}),
    Sample("ScatterElements", [X, ROWS, UPDATES], {"reduction": "max"}),
    Sample("ScatterElements", [X, ints([[1, 1]]), random(1, 2)], {"axis": 1, "reduction": "add"}),
    Sample("ScatterND", [X, ints([[1], [-1]]), random(2, 4)]),
    Sample("ScatterND", [X, ints([[1, 2], [0, -1], [2, 2]]), random(3)]),
    Sample("ScatterND", [X, ints([[[1, 2], [0, -1]]]), random(1, 2)], {"reduction": "add"}),
    Sample("ScatterND", [X, TUPLES, UPDATE_ROWS], {"reduction": "add"}),
    Sample("ScatterND", [X, TUPLES, UPDATE_ROWS], {"reduction": "mul"}),
    Sample(
        "ScatterND",
        [X, TUPLES, TWO_ZEROS],
        {"reduction": "mul"},
        label="mul by two zeros",
    ),
    Sample("ScatterND", [X, TUPLES, UPDATE_ROWS], {"reduction": "min"}),
    Sample("ScatterND", [X, TUPLES, UPDATE_ROWS], {"reduction": "max"}),
]
