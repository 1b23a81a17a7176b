"""Samples of conversions between dtypes; those that round are in tests/compiler."""

import numpy as np

from .sample import Sample, random

SAMPLES = [
    Sample("Cast", [random(2, 3)], {"to": 11}),  # onnx.TensorProto.DOUBLE
    Sample("CastLike", [random(2, 3), np.array(1.0)], wrt=[0]),
]
