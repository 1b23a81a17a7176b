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

MANY_ZEROS = np.array([[0.0, 0, 1.5, 0], [0, 0, 0.7, 0], [0, 0, 0.9, 1.1], [0, 0.3, 2, 0]])
SOME_ZEROS = np.where(X > 1, X, 0)

SAMPLES = [
    *(
        Sample(op, [x, indices, MANY_ZEROS], {"reduction": "mul"}, third_order=True, label=label)
        for op, indices in (
            ("ScatterElements", ints([[1, 0, 0, 2], [1, 0, 0, 1], [-2, 0, 2, 1], [1, 0, 0, 0]])),
            ("ScatterND", ints([[1], [0], [-2], [1]])),
        )
        for x, label in ((X, "mul by many zeros"), (SOME_ZEROS, "mul of zeros by many zeros"))
    ),
    Sample(
        "ScatterElements",
        [X, ints([[3, 3, 3, -1], [0, 1, 0, 1], [2, 2, 2, 0]]), MANY_ZEROS[:3]],
        {"reduction": "mul", "axis": -1},
        third_order=True,
        label="mul by many zeros along the last axis",
    ),
    Sample(
        "ScatterElements",
        [X, np.zeros((0, 4), np.int64), np.zeros((0, 4))],
        {"reduction": "mul"},
        label="mul by nothing",
    ),
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
