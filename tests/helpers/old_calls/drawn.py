"""Calls that draw random numbers, such that (almost) only one number can be drawn."""

import numpy as np
from onnx import TensorProto
from op_samples.sample import ints, random

from .call import OldCall

X = random(2, 3)
CERTAIN = np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
UNLIKELY = np.array([[-200.0, 0.0, -200.0], [0.0, -200.0, -200.0]])
NOW, NEVER = np.array(True), np.array(0.0, np.float32)


def kept(x: np.ndarray, *_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x, np.ones(x.shape)


CALLS = [
    OldCall(
        "RandomNormal",
        (),
        {"mean": 2.5, "scale": 1e-7, "shape": [2, 3]},
        expected=lambda: np.full((2, 3), 2.5),
    ),
    OldCall(
        "RandomNormalLike",
        [X],
        {"mean": 2.5, "scale": 1e-7},
        expected=lambda x: np.full((2, 3), 2.5),
    ),
    OldCall(
        "RandomUniform",
        (),
        {"low": 2.5, "high": 2.5, "shape": [2, 3]},
        expected=lambda: np.full((2, 3), 2.5),
    ),
    OldCall(
        "RandomUniformLike",
        [X],
        {"low": 2.5, "high": 2.5, "dtype": int(TensorProto.DOUBLE)},
        expected=lambda x: np.full((2, 3), 2.5),
    ),
    OldCall("Bernoulli", [CERTAIN], expected=np.copy),
    OldCall("Bernoulli", [CERTAIN], {"dtype": int(TensorProto.INT32)}, expected=np.copy),
    OldCall(
        "Multinomial",
        [UNLIKELY],
        {"sample_size": 4},
        expected=lambda x: np.repeat(ints([[1], [0]]), 4, axis=1),
    ),
    OldCall("Dropout", [X], {"is_test": 1, "ratio": 0.9}, expected=np.copy),
    OldCall("Dropout", [X], {"is_test": 1, "consumed_inputs": [0]}, expected=np.copy),
    OldCall("Dropout", [X], {"ratio": 0.0}, 2, expected=kept, versions=[1, 6, 10]),
    OldCall("Dropout", [X], {"ratio": 0.9}, expected=np.copy, versions=[7, 10]),
    OldCall("Dropout", [X], {"ratio": 0.9}, 2, expected=kept, versions=[7, 10]),
    OldCall("Dropout", [X, np.array(0.9, np.float32)], {}, 2, expected=kept),
    OldCall("Dropout", [X, NEVER, NOW], {"seed": 3}, 2, expected=kept),
]
