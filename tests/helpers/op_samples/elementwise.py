"""Samples of elementwise arithmetic."""

import numpy as np

from .sample import Sample, ints, random

POSITIVE = random(2, 3, low=0.5, high=2.0)

SAMPLES = [
    Sample("Add", [random(2, 3), random(2, 3, seed=1)]),
    Sample("Add", [random(2, 3), random(3, seed=1)]),
    Sample("Sub", [random(2, 1), random(2, 3, seed=1)]),
    Sample("Mul", [random(4, 1, 3), random(2, 1)]),
    Sample("Div", [random(2, 3), random(3, low=0.5, high=2.0)]),
    Sample("Mod", [random(2, 3, low=-9, high=9), random(3, low=0.6, high=2)], {"fmod": 1}),
    Sample("Mod", [random(2, 3, low=-9, high=9), random(3, low=-2, high=-0.6)], {"fmod": 1}),
    # onnxruntime and opset 21 know fmod=0 for integers only
    Sample("Mod", [random(2, 3, low=-9, high=9), random(3, low=0.6, high=2)], onnxruntime=False),
    Sample("Mod", [random(2, 3, low=-9, high=9), random(3, low=-2, high=-0.6)], onnxruntime=False),
    Sample("Sum", [random(2, 3), random(3, seed=1), random(2, 1)]),
    Sample("Sum", [random(2, 3)]),
    Sample("Mean", [random(2, 3), random(3, seed=1), random(2, 1)]),
    Sample("Mean", [random(2, 3)]),
    Sample("Neg", [random(2, 3)]),
    Sample("Abs", [random(2, 3)]),
    Sample("Sqrt", [POSITIVE]),
    Sample("Reciprocal", [POSITIVE]),
    Sample("Reciprocal", [-POSITIVE]),
    Sample("Exp", [random(2, 3)]),
    Sample("Log", [POSITIVE]),
    Sample("Pow", [POSITIVE, random(2, 3, low=-2, high=3)]),
    Sample("Pow", [POSITIVE, random(4, 1, 1, low=-2, high=3)]),
    Sample("Pow", [random(2, 3), ints(2)]),
    Sample("Pow", [random(2, 3), np.array(2)]),
    Sample("Pow", [random(2, 3), np.array([2.0])], wrt=[0], label="square"),
    Sample("Pow", [random(2, 3), ints(0, 1, 3)], label="integer exponents"),
    Sample("Pow", [random(2, 3), np.array([0, 2, 5], np.int32)], label="int32 exponents"),
    Sample("Pow", [random(2, 3, low=-2, high=-1), ints(-2, -1, 0)], label="negative base"),
    Sample("Pow", [np.array([0.0, -1.5]), np.array([3.0, 2.0])], wrt=[0], label="base 0"),
    Sample("Pow", [np.zeros(3), np.array([0.0, 1.0, 2.0])], wrt=[0], label="0 to the 0"),
    Sample("Pow", [np.zeros(5), np.arange(5.0)], wrt=[0], third_order=True, label="powers of 0"),
    Sample("Pow", [np.zeros(5), np.arange(5)], third_order=True, label="whole powers of 0"),
    Sample("Identity", [random(2, 3)]),
]
