"""Samples of activation functions."""

import numpy as np

from .sample import Sample, random

WIDE = random(3, 4, low=-4, high=4)

SAMPLES = [
    Sample("Relu", [WIDE]),
    Sample("LeakyRelu", [WIDE]),
    Sample("LeakyRelu", [WIDE], {"alpha": 0.25}),
    Sample("PRelu", [WIDE, random(4)]),
    Sample("PRelu", [WIDE, random(3, 1)]),
    Sample("ThresholdedRelu", [WIDE]),
    Sample("ThresholdedRelu", [WIDE], {"alpha": -0.5}),
    Sample("Elu", [WIDE]),
    Sample("Elu", [WIDE], {"alpha": 2.0}),
    Sample("Celu", [WIDE]),
    Sample("Celu", [WIDE], {"alpha": 0.5}),
    Sample("Selu", [WIDE]),
    Sample("Selu", [WIDE], {"alpha": 2.0, "gamma": 0.5}),
    Sample("Shrink", [WIDE]),
    Sample("Shrink", [WIDE], {"bias": 0.25, "lambd": 1.0}),
    Sample("Shrink", [np.array([-1.5, 0.0, 2.0])], {"lambd": 0.0}, label="that cuts nothing"),
    Sample("HardSigmoid", [WIDE]),
    Sample("HardSigmoid", [WIDE], {"alpha": 0.5, "beta": 0.25}),
    # onnx.reference takes its body, whose constants are float32
    Sample("HardSwish", [WIDE], forward_tolerance=1e-6),
    Sample("Sigmoid", [WIDE]),
    Sample("Swish", [WIDE]),
    Sample("Swish", [WIDE], {"alpha": 2.0}),
    Sample("SwiGLU", [WIDE, random(3, 4, seed=1)]),
    Sample("SwiGLU", [WIDE, random(3, 4, seed=1)], {"alpha": 2.0}),
    Sample("Softplus", [WIDE]),
    Sample("Softsign", [WIDE]),
    Sample("Tanh", [WIDE]),
    Sample("Mish", [WIDE]),
    # onnx.reference computes erf in float32
    Sample("Erf", [random(2, 3)], forward_tolerance=1e-6),
    Sample("Gelu", [random(2, 5, low=-4, high=4)], forward_tolerance=1e-6),
    # and its body of Gelu has its constants in float32
    Sample(
        "Gelu",
        [random(2, 5, low=-4, high=4)],
        {"approximate": "tanh"},
        forward_tolerance=1e-6,
    ),
]
