"""Old calls of network layers: normalisation and pooling."""

from typing import Any

import numpy as np
from op_samples.normalization import positive
from op_samples.sample import random

from .call import Array, OldCall

EPSILON, MOMENTUM = 0.125, 0.75
CONSTANTS = {"epsilon": EPSILON, "momentum": MOMENTUM}
X = random(3, 2, 4)
CHANNELS = [positive(2), random(2, seed=1), random(2, seed=2), positive(2, seed=3)]
ACTIVATIONS = [positive(2, 4), random(2, 4, seed=1), random(2, 4, seed=2), positive(2, 4, seed=3)]


def normalized(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
    """Normalize with statistics of channels, or of each activation."""
    behind = (1,) * (x.ndim - 1 - scale.ndim)
    parts = (p.reshape(p.shape + behind) for p in (scale, bias, mean, variance))
    scale, bias, mean, variance = parts
    return np.asarray((x - mean) / np.sqrt(variance + EPSILON) * scale + bias)


def trained(x: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Any:
    """Normalize with the batch's own statistics; give running and saved ones too."""
    axes = (0, 2) if scale.ndim == 1 else (0,)
    saved, spread = x.mean(axes), x.var(axes)
    running = [a * MOMENTUM + b * (1 - MOMENTUM) for a, b in ((mean, saved), (variance, spread))]
    return normalized(x, scale, bias, saved, spread), *running, saved, spread


def first(*inputs: Array) -> Array:
    return np.asarray(trained(*inputs)[0])


def grouped(x: Array, scale: Array, bias: Array) -> Array:
    """Normalize groups, each with one scale and one bias."""
    parts = x.reshape(2, 2, -1)
    mean, variance = parts.mean(2, keepdims=True), parts.var(2, keepdims=True)
    normal = (parts - mean) / np.sqrt(variance + EPSILON)
    return np.asarray((normal * scale[:, None] + bias[:, None]).reshape(x.shape))


def norm(x: Array, p: float) -> Array:
    return np.asarray((abs(x) ** p).sum(2, keepdims=True) ** (1 / p))


def saved_mean(*inputs: Array) -> tuple[Array, Array]:
    y, _, _, saved, _ = trained(*inputs)
    return y, saved


def batch_normalization(
    outputs: Any, form: Any, expected: Any, versions: Any, parameters: Any = CHANNELS
) -> OldCall:
    inputs, attributes = [X, *parameters], {**CONSTANTS, **form}
    return OldCall("BatchNormalization", inputs, attributes, outputs, expected, versions)


CALLS = [
    *(
        batch_normalization(outputs, {**form, **spatial}, expected, versions, parameters)
        for parameters, spatial in (
            (CHANNELS, {}),
            (CHANNELS, {"spatial": 1}),
            (ACTIVATIONS, {"spatial": 0}),
        )
        for outputs, form, expected, versions in (
            (1, {"consumed_inputs": [0] * 5, "is_test": 1}, normalized, [1]),
            (1, {"consumed_inputs": [0] * 5}, first, [1]),
            (5, {"consumed_inputs": [0] * 5}, trained, [1]),
            (1, {"is_test": 1}, normalized, [6]),
            (1, {}, first, [6]),
            (5, {}, trained, [6]),
            (1, {}, normalized, [7]),
            (5, {}, trained, [7]),
            ((True, False, False, True, False), {}, saved_mean, [7]),
        )
    ),
    batch_normalization(1, {}, normalized, [9]),
    batch_normalization(5, {}, trained, [9]),
    OldCall(
        "InstanceNormalization",
        [X, *CHANNELS[:2]],
        {"epsilon": EPSILON, "consumed_inputs": [0] * 3},
        like=OldCall("InstanceNormalization", [X, *CHANNELS[:2]], {"epsilon": EPSILON}),
        as_of=6,
    ),
    OldCall(
        "GroupNormalization",
        [random(2, 4, 3), random(2), random(2, seed=1)],
        {"num_groups": 2, "epsilon": EPSILON},
        expected=grouped,
        versions=[18],
    ),
    *(
        OldCall("GlobalLpPool", [X], {"p": p}, expected=lambda x, p=p: norm(x, p))
        for p in (3.0, 1.5, 3, 1)
    ),
    OldCall("GlobalLpPool", [X], expected=lambda x: norm(x, 2)),
    *(
        OldCall(
            "LpPool",
            [X],
            {"p": p, "kernel_shape": [2], "pads": [1, 1], "strides": [2]},
            expected=lambda x, p=p: np.concatenate(
                [norm(x[..., :1], p), norm(x[..., 1:3], p), norm(x[..., 3:], p)], 2
            ),
        )
        for p in (1.0, 2.5, 3)
    ),
    OldCall("LpPool", [X], {"kernel_shape": [4]}, expected=lambda x: norm(x, 2)),
    OldCall(
        "AveragePool",
        [random(1, 2, 4, 5)],
        {"kernel_shape": [3, 2], "pads": [1, 1, 2, 0]},
        versions=[1],
        as_of=7,
    ),
    OldCall(
        "AveragePool",
        [random(1, 2, 4, 5)],
        {"kernel_shape": [2, 3], "auto_pad": "SAME_LOWER"},
        versions=[1],
        as_of=7,
    ),
    # version 1 contradicts itself about where an odd pad goes: onnxruntime reads it as version 11
    *(
        OldCall("ConvTranspose", [random(1, 2, 3), random(2, 1, 2)], {"strides": [2], **pads})
        for pads in ({"output_shape": [5]}, {"output_shape": [5], "auto_pad": "SAME_UPPER"})
    ),
    OldCall("LRN", [random(1, 5, 2, 3)], {"size": 3, "alpha": 0.5}),
]
