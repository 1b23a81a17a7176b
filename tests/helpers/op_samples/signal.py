"""Samples of operators on signals."""

from itertools import product

import numpy as np

from .sample import Sample, random

REAL, COMPLEX = random(2, 5, 1), random(2, 5, 2)
AXIS = np.array(1)
SIGNAL = random(2, 12, 1)
STEP = np.array(3)

SAMPLES = [
    *(
        Sample("DFT", [x, length, AXIS], {"inverse": inverse})
        for x, length, inverse in product((REAL, COMPLEX), (None, np.array(7), np.array(4)), (0, 1))
    ),
    Sample("DFT", [COMPLEX]),
    Sample("DFT", [random(3, 4, 2), None, np.array(0)]),
    Sample("DFT", [random(3, 4, 2), None, np.array(-3)], {"inverse": 1}),
    *(
        Sample("DFT", [REAL, length, AXIS], {"onesided": 1})
        for length in (None, np.array(7), np.array(4))
    ),
    *(
        Sample("DFT", [COMPLEX, length, AXIS], {"onesided": 1, "inverse": 1})
        for length in (None, np.array(9), np.array(10), np.array(12))
    ),
    # written with pads below 0, which onnx.reference does not know
    Sample("DFT", [COMPLEX, np.array(5), AXIS], {"onesided": 1, "inverse": 1}, reference=False),
    # ONNX's checker takes the default of onesided for 0
    Sample("STFT", [SIGNAL, STEP, random(4, seed=1)], onnxruntime=False),
    Sample("STFT", [SIGNAL, STEP, random(4, seed=1)], {"onesided": 1}),
    Sample("STFT", [SIGNAL, STEP, random(5, seed=1), np.array(5)], {"onesided": 0}),
    Sample("STFT", [SIGNAL, STEP, None, np.array(4)], {"onesided": 1}),
    Sample("STFT", [random(1, 9, 2), np.array(2), random(4, seed=1)], {"onesided": 0}),
]
