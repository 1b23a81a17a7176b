"""Calls of ai.onnx.preview.training, which has one version."""

import numpy as np
from op_samples.sample import random

from .call import TRAINING, OldCall

RATE, COUNT = np.array(0.1), np.array(3)
X, G, V, H = (random(2, 3, seed=k, low=0.1) for k in range(4))
MOMENTUM = {"alpha": 0.9, "beta": 0.3, "norm_coefficient": 0.1}

CALLS = [
    OldCall("Adagrad", [RATE, COUNT, X, G, H], {"decay_factor": 0.2}, 2, domain=TRAINING),
    OldCall("Adam", [RATE, COUNT, X, G, V, H], {"norm_coefficient_post": 0.2}, 3, domain=TRAINING),
    *(
        OldCall("Momentum", [RATE, COUNT, X, G, V], {**MOMENTUM, "mode": mode}, 2, domain=TRAINING)
        for mode in ("standard", "nesterov")
    ),
    OldCall(
        "Gradient",
        [X, G],
        domain=TRAINING,
        expected=lambda a, b: (a * a * b, 2 * a * b),
        text="""g (FLOAT[2, 3] x0, FLOAT[2, 3] x1) => (FLOAT[2, 3] y0, FLOAT[2, 3] y1) {
    s = Mul(x0, x0)
    y0 = Mul(s, x1)
    y1 = ai.onnx.preview.training.Gradient <xs: strings = ["x0"], y: string = "y0"> (x0)
}""",
    ),
]
