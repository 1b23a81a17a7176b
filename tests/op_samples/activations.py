"""Samples of activation functions."""

from .sample import Sample, random

SAMPLES = [
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
    Sample("Tanh", [random(2, 3)]),
    Sample("Sigmoid", [random(2, 3)]),
    Sample("Softplus", [random(2, 3)]),
]
