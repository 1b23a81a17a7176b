"""Samples of cumulative sums and products."""

import numpy as np

from .sample import Sample, random

MODES = [{}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}]
ZEROS = np.array([[1.5, 0.0, 0.5, -1.0], [0.0, 3.0, 0.0, 2.0], [0.0, 0.0, 0.0, 2.0]])

SAMPLES = [
    *(Sample("CumSum", [random(2, 3), np.array(1)], mode) for mode in MODES),
    Sample("CumSum", [random(2, 3, 2), np.array(-2, np.int32)]),
    *(Sample("CumProd", [ZEROS, np.array(1)], mode) for mode in MODES),
    *(Sample("CumProd", [ZEROS[1:], np.array(1)], mode, third_order=True) for mode in MODES),
    Sample("CumProd", [random(2, 3, 2), np.array(-2, np.int32)]),
]
