"""ResNet-18 for images of 32×32, with BatchNormalization in training mode."""

from typing import Any

import numpy as np
from workload import Arrays, Draw, Workload, cross_entropy, normal

WIDTHS = (64, 128, 256, 512)
"""Channels of the four stages of two blocks."""

BLOCKS = [
    (f"{stage}.{k}", WIDTHS[max(stage - 1, 0)] if k == 0 else width, width)
    for stage, width in enumerate(WIDTHS)
    for k in range(2)
]
"""Name, channels in and out of each block; where they differ it has stride 2 and a shortcut."""


def weights(draw: Draw, size: int) -> None:
    """Convolutions without bias, each with its normalization, and a dense layer"""
    convolved = [("stem", 3, WIDTHS[0], 3)]
    for name, channels, width in BLOCKS:
        convolved += [(f"{name}.first", channels, width, 3), (f"{name}.second", width, width, 3)]
        if channels != width:
            convolved.append((f"{name}.shortcut", channels, width, 1))
    for name, channels, width, kernel in convolved:
        draw.convolution(name, (width, channels, kernel, kernel))
        draw.normalization(f"{name}.norm", width)
    draw.linear("head", WIDTHS[-1], 10)


def data(rng: np.random.Generator, size: int) -> Arrays:
    """Images and their classes"""
    return {"x": normal(rng, size, 3, 32, 32), "target": rng.integers(0, 10, size)}


def features(convolved: Any, relu: Any, x: Any) -> Any:
    """Give the last features, by a normalized convolution (x, name, stride) and Relu."""
    x = relu(convolved(x, "stem", 1))
    for name, channels, width in BLOCKS:
        stride = 1 + (channels != width)
        y = convolved(relu(convolved(x, f"{name}.first", stride)), f"{name}.second", 1)
        x = relu(y + (x if stride == 1 else convolved(x, f"{name}.shortcut", stride)))
    return x


def ours(op: Any, w: Any, x: Any, target: Any) -> Any:
    """In ONNX"""

    def convolved(x: Any, name: str, stride: int) -> Any:
        weight, scale, shift = (w[f"{name}.{n}"] for n in ("weight", "norm.weight", "norm.bias"))
        width, _, kernel, _ = weight.shape
        y = op.Conv(x, weight, strides=[stride] * 2, pads=[kernel // 2] * 4)
        mean, variance = np.zeros(width, np.float32), np.ones(width, np.float32)
        return op.BatchNormalization(y, scale, shift, mean, variance, training_mode=1, outputs=3)[0]

    pooled = op.Flatten(op.GlobalAveragePool(features(convolved, op.Relu, x)))
    logits = op.Gemm(pooled, w["head.weight"], w["head.bias"], transB=1)
    return op.SoftmaxCrossEntropyLoss(logits, target, reduction="mean")


def in_torch(torch: Any, w: Any, x: Any, target: Any) -> Any:
    """In torch"""
    nn = torch.nn.functional

    def convolved(x: Any, name: str, stride: int) -> Any:
        weight, scale, shift = (w[f"{name}.{n}"] for n in ("weight", "norm.weight", "norm.bias"))
        y = nn.conv2d(x, weight, None, stride, weight.shape[2] // 2)
        return nn.batch_norm(y, None, None, scale, shift, training=True)

    pooled = features(convolved, nn.relu, x).mean((2, 3))
    return nn.cross_entropy(nn.linear(pooled, w["head.weight"], w["head.bias"]), target)


def in_jax(jax: Any, w: Any, x: Any, target: Any) -> Any:
    """In jax"""

    def convolved(x: Any, name: str, stride: int) -> Any:
        weight, scale, shift = (w[f"{name}.{n}"] for n in ("weight", "norm.weight", "norm.bias"))
        pads = [(weight.shape[2] // 2,) * 2] * 2
        y = jax.lax.conv_general_dilated(x, weight, (stride, stride), pads)
        y = jax.nn.standardize(y, axis=(0, 2, 3), epsilon=1e-5)
        return y * scale[:, None, None] + shift[:, None, None]

    pooled = features(convolved, jax.nn.relu, x).mean((2, 3))
    return cross_entropy(jax, pooled @ w["head.weight"].T + w["head.bias"], target)


WORKLOAD = Workload(
    "ResNet-18, 32×32, batch {}",
    32,
    weights,
    data,
    ours,
    in_torch,
    in_jax,
    rate=0.001,  # with a larger one the roundings of the statistics grow tenfold in every step
    within=0.02,  # a Relu may round to the other side of 0: torch's own two layouts are 0.011 apart
)
