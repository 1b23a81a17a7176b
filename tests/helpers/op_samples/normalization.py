"""Samples of normalizations: every attribute, with and without their optional inputs."""

from .sample import Array, Sample, random


def positive(*shape: int, seed: int = 0) -> Array:
    """Draw values away from zero: variances, scales."""
    return random(*shape, seed=seed, low=0.5, high=2.0)


def vector(size: int, seed: int) -> Array:
    return random(size, seed=seed)


BATCH = [random(3, 2, 4), positive(2), vector(2, 1), vector(2, 2), positive(2, seed=3)]
IMAGES = [random(2, 3, 2, 2), positive(3), vector(3, 1), vector(3, 2), positive(3, seed=3)]
ONE_CHANNEL = [positive(1), vector(1, 1), vector(1, 2), positive(1, seed=3)]
TRAINING = {"training_mode": 1, "momentum": 0.75, "epsilon": 0.125}
# onnx.reference and the schemas' bodies round epsilon to float32; these are exact there

SAMPLES = [
    Sample("BatchNormalization", BATCH, {"epsilon": 0.125}),
    Sample("BatchNormalization", IMAGES, {"epsilon": 0.125}),
    Sample("BatchNormalization", [random(4, 3), *IMAGES[1:]], {"epsilon": 0.125}),
    Sample("BatchNormalization", [random(4), *ONE_CHANNEL], {"epsilon": 0.125}),
    Sample("BatchNormalization", BATCH, TRAINING, outputs=3),
    # onnx.reference reads a second axis in training; the standard says that without one C is 1
    Sample(
        "BatchNormalization",
        [random(4), *ONE_CHANNEL],
        TRAINING,
        outputs=3,
        reference=False,
    ),
    Sample("BatchNormalization", IMAGES, TRAINING, outputs=3),
    Sample("LayerNormalization", [random(2, 3, 4), positive(4)], {"epsilon": 0.125}),
    Sample(
        "LayerNormalization",
        [random(2, 3, 4), positive(3, 4), vector(4, 2)],
        {"epsilon": 0.125, "axis": 1},
    ),
    Sample(
        "LayerNormalization",
        [random(2, 3), positive(1), random(2, 3, seed=1)],
        {"epsilon": 0.125, "axis": -1},
    ),
    # its body computes in float32, as stash_type says
    Sample(
        "GroupNormalization",
        [random(2, 4, 3), positive(4), vector(4, 1)],
        {"num_groups": 2, "epsilon": 0.125},
        forward_tolerance=1e-6,
    ),
    Sample(
        "GroupNormalization",
        [random(2, 4, 2, 2), positive(4), vector(4, 1)],
        {"num_groups": 4, "epsilon": 0.125},
        forward_tolerance=1e-6,
    ),
    Sample(
        "InstanceNormalization",
        [random(2, 3, 4), positive(3), vector(3, 1)],
        {"epsilon": 0.125},
    ),
    Sample(
        "InstanceNormalization",
        [random(2, 2, 3, 2), positive(2), vector(2, 1)],
        {"epsilon": 0.125},
    ),
    # at opset 21 its body computes in float32, as stash_type says
    Sample(
        "RMSNormalization",
        [random(2, 3, 4), positive(4)],
        {"epsilon": 0.125},
        forward_tolerance=1e-6,
    ),
    Sample(
        "RMSNormalization",
        [random(2, 3, 4), positive(3, 4)],
        {"axis": 1, "epsilon": 0.125},
        forward_tolerance=1e-6,
    ),
    # its body adds float32 numbers to float64 tensors
    Sample("MeanVarianceNormalization", [random(2, 3, 2, 2)], reference=False),
    Sample(
        "MeanVarianceNormalization",
        [random(2, 3, 2, 2)],
        {"axes": [0, 2, 3]},
        reference=False,
    ),
    Sample("MeanVarianceNormalization", [random(2, 3, 4)], {"axes": [1, 2]}, reference=False),
    Sample("LpNormalization", [random(2, 3, 4)]),
    # onnx.reference forgets the absolute value
    Sample("LpNormalization", [random(2, 3, 4)], {"axis": 1, "p": 1}, reference=False),
]
