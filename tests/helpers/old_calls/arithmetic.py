"""Old calls of elementwise operators: broadcasting by axis, in-place hints, bounds."""

import numpy as np
from op_samples.sample import ints, random

from .call import Array, OldCall

X, CHANNELS = random(2, 3, 4), random(3, seed=1, low=0.4)
POSITIVE = random(2, 3, low=0.5, high=2.0)
LEFT, RIGHT = random(2, 3, seed=1), random(3, 4, seed=2)
SELU = {"alpha": 1.6732, "gamma": 1.0507}  # the constants of version 1 had fewer digits
ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}

IN_PLACE = (
    "Abs", "Ceil", "Clip", "Elu", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Log", "Neg",
    "Reciprocal", "Relu", "Selu", "Sigmoid", "Sqrt", "Tanh",
)  # fmt: skip


def gemm(a: Array, b: Array, c: Array) -> Array:
    return np.asarray(0.5 * a @ b.T + 2 * c)


CALLS = [
    *(
        OldCall(
            op,
            [X, b],
            {"broadcast": 1, **where},
            expected=lambda x, b, f=f, s=shape: f(x, b.reshape(s)),
        )
        for op, f in ARITHMETIC.items()
        for b, shape, where in (
            (CHANNELS, (3, 1), {"axis": 1}),
            (random(2, 3, seed=1), (2, 3, 1), {"axis": 0}),
            (random(2, seed=1), (2, 1, 1), {"axis": -3}),
            (random(3, 4, seed=1), (3, 4), {}),
            (np.array(0.5), (), {}),
        )
    ),
    *(
        OldCall(op, [X, X[::-1]], {"consumed_inputs": [0, 0]}, expected=f, versions=[1])
        for op, f in ARITHMETIC.items()
    ),
    OldCall("Pow", [POSITIVE, CHANNELS], {"broadcast": 1}, expected=np.power),
    OldCall(
        "Pow",
        [POSITIVE, random(2, seed=1)],
        {"broadcast": 1, "axis": 0},
        expected=lambda x, b: x ** b[:, None],
    ),
    OldCall("Pow", [POSITIVE, POSITIVE], expected=np.power, versions=[1]),
    *(
        OldCall(
            op,
            [POSITIVE],
            {"consumed_inputs": [0]},
            versions=[1],
            as_of=6,
            like=OldCall(op, [POSITIVE], SELU if op == "Selu" else {}),
        )
        for op in IN_PLACE
    ),
    *(
        OldCall(
            op,
            [LEFT, LEFT[::-1]],
            {"consumed_inputs": [0, 0]},
            versions=[1],
            as_of=8,
            like=OldCall(op, [LEFT, LEFT[::-1]]),
        )
        for op in ("Max", "Min", "Sum", "Mean")
    ),
    *(OldCall(op, [LEFT, LEFT[::-1]], versions=[6]) for op in ("Max", "Min", "Sum", "Mean")),
    OldCall(
        "Selu",
        [LEFT],
        expected=lambda x: 1.0507 * np.where(x > 0, x, 1.6732 * np.expm1(x)),
        versions=[1],
    ),
    OldCall(
        "PRelu",
        [X, CHANNELS],
        expected=lambda x, s: np.where(x < 0, x * s[:, None], x),
        versions=[1, 6],
    ),
    OldCall(
        "PRelu",
        [X, CHANNELS[:1]],
        {"consumed_inputs": [0, 0]},
        expected=lambda x, s: np.where(x < 0, x * s, x),
    ),
    OldCall("Clip", [LEFT], {"min": -0.4, "max": 0.35}, expected=lambda x: np.clip(x, -0.4, 0.35)),
    OldCall("Clip", [LEFT], {"max": 0.35}, expected=lambda x: np.minimum(x, 0.35)),
    OldCall("Clip", [LEFT], expected=np.copy, versions=[1]),
    OldCall(
        "Clip",
        [np.array([np.inf, -np.inf, 0.5])],
        {"min": -0.4},
        expected=lambda x: np.clip(x, np.float32(-0.4), np.finfo(np.float32).max),
        versions=[6],
        wrt=(),
    ),
    OldCall(
        "Gemm",
        [LEFT, RIGHT.T, random(4, seed=3)],
        {"broadcast": 1, "transB": 1, "alpha": 0.5, "beta": 2.0},
        expected=gemm,
    ),
    OldCall(
        "Gemm",
        [LEFT, RIGHT.T, random(2, 4)],
        {"transB": 1, "alpha": 0.5, "beta": 2.0},
        expected=gemm,
    ),
    OldCall("Mod", [ints(-7, 8, -3), ints(3, -3, 2)]),
    OldCall("Mod", [ints(-7, 8, -3), ints(3, -3, 2)], {"fmod": 1}),
]
