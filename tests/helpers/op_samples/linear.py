"""Samples of matrix products and of the determinant."""

import numpy as np

from .sample import Sample, random

SINGULAR = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.5, -1.0, 1.0]])

SAMPLES = [
    Sample("MatMul", [random(2, 3), random(3, 4)]),
    Sample("MatMul", [random(5, 2, 3), random(3, 4)]),
    Sample("MatMul", [random(2, 2, 2, 3), random(3, 4)]),
    Sample("MatMul", [random(2, 3), random(5, 3, 4)]),
    Sample("MatMul", [random(5, 1, 2, 3), random(4, 3, 2)]),
    Sample("MatMul", [random(3), random(3, 4)]),
    Sample("MatMul", [random(5, 2, 3), random(3)]),
    Sample("MatMul", [random(3), random(3, seed=1)]),
    *(
        Sample(
            "Gemm",
            [random(*(3, 2) if across else (2, 3)), random(*(4, 3) if along else (3, 4)), *c],
            {"transA": across, "transB": along, "alpha": 0.5, "beta": 2.0},
        )
        for across in (0, 1)
        for along in (0, 1)
        for c in ([], [random(2, 4, seed=1)])
    ),
    Sample("Gemm", [random(2, 3), random(3, 4)]),
    *(
        Sample("Gemm", [random(2, 3), random(3, 4), random(*shape, seed=1)])
        for shape in ((4,), (2, 1), (1, 4), (1, 1), (1,), ())
    ),
    Sample("Det", [random(3, 3)]),
    Sample("Det", [random(2, 2, 2, 2)]),
    Sample("Det", [SINGULAR], label="singular"),
    Sample("Det", [np.zeros((4, 4))], third_order=True, label="of zeros"),
    Sample("Det", [np.ones((3, 3))], third_order=True, label="of rank 1"),
    Sample("Det", [random(1, 1)]),
]
