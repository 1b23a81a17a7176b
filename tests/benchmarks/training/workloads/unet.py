"""A U-Net of three levels on 64×64, which tells each pixel's class."""

from typing import Any

import numpy as np
from workload import Arrays, Draw, Workload, cross_entropy, normal

WIDTHS = (16, 32, 64)
"""Channels of the levels."""


def weights(draw: Draw, size: int) -> None:
    """Two convolutions for each level down and up, one that grows for each level up, and a head"""
    before = 1
    for k, width in enumerate(WIDTHS):
        _pair(draw, f"down{k}", before, width)
        before = width
    for k, width in reversed(list(enumerate(WIDTHS[:-1]))):
        draw.convolution(f"grow{k}", (before, width, 2, 2), width)
        _pair(draw, f"up{k}", 2 * width, width)
        before = width
    draw.convolution("head", (2, before, 1, 1), 2)


def _pair(draw: Draw, name: str, channels: int, width: int) -> None:
    draw.convolution(f"{name}.0", (width, channels, 3, 3), width)
    draw.convolution(f"{name}.1", (width, width, 3, 3), width)


def data(rng: np.random.Generator, size: int) -> Arrays:
    """Images and the classes of their pixels"""
    return {"x": normal(rng, size, 1, 64, 64), "target": rng.integers(0, 2, (size, 64, 64))}


def logits(convolved: Any, relu: Any, pool: Any, grown: Any, joined: Any, x: Any) -> Any:
    """Give the logits, by convolutions (x, name), Relu, pooling, growing (x, name), joining."""

    def level(x: Any, name: str) -> Any:
        return relu(convolved(relu(convolved(x, f"{name}.0")), f"{name}.1"))

    kept = []
    for k in range(len(WIDTHS)):
        x = level(pool(x) if k else x, f"down{k}")
        kept.append(x)
    for k in reversed(range(len(WIDTHS) - 1)):
        x = level(joined(kept[k], grown(x, f"grow{k}")), f"up{k}")
    return convolved(x, "head")


def ours(op: Any, w: Any, x: Any, target: Any) -> Any:
    """In ONNX"""

    def convolved(x: Any, name: str) -> Any:
        weight = w[f"{name}.weight"]
        return op.Conv(x, weight, w[f"{name}.bias"], pads=[weight.shape[2] // 2] * 4)

    def pool(x: Any) -> Any:
        return op.MaxPool(x, kernel_shape=[2, 2], strides=[2, 2])

    def grown(x: Any, name: str) -> Any:
        return op.ConvTranspose(x, w[f"{name}.weight"], w[f"{name}.bias"], strides=[2, 2])

    def joined(x: Any, y: Any) -> Any:
        return op.Concat(x, y, axis=1)

    found = logits(convolved, op.Relu, pool, grown, joined, x)
    return op.SoftmaxCrossEntropyLoss(found, target, reduction="mean")


def in_torch(torch: Any, w: Any, x: Any, target: Any) -> Any:
    """In torch"""
    nn = torch.nn.functional

    def convolved(x: Any, name: str) -> Any:
        weight = w[f"{name}.weight"]
        return nn.conv2d(x, weight, w[f"{name}.bias"], 1, weight.shape[2] // 2)

    def pool(x: Any) -> Any:
        return nn.max_pool2d(x, 2)

    def grown(x: Any, name: str) -> Any:
        return nn.conv_transpose2d(x, w[f"{name}.weight"], w[f"{name}.bias"], 2)

    def joined(x: Any, y: Any) -> Any:
        return torch.cat([x, y], 1)

    return nn.cross_entropy(logits(convolved, nn.relu, pool, grown, joined, x), target)


def in_jax(jax: Any, w: Any, x: Any, target: Any) -> Any:
    """In jax"""
    lax = jax.lax

    def convolved(x: Any, name: str) -> Any:
        weight = w[f"{name}.weight"]
        pads = [(weight.shape[2] // 2,) * 2] * 2
        return lax.conv_general_dilated(x, weight, (1, 1), pads) + w[f"{name}.bias"][:, None, None]

    def pool(x: Any) -> Any:
        return lax.reduce_window(x, -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def grown(x: Any, name: str) -> Any:
        layout = ("NCHW", "OIHW", "NCHW")
        y = lax.conv_transpose(
            x, w[f"{name}.weight"], (2, 2), "VALID",
            dimension_numbers=layout, transpose_kernel=True,
        )  # fmt: skip
        return y + w[f"{name}.bias"][:, None, None]

    def joined(x: Any, y: Any) -> Any:
        return jax.numpy.concatenate([x, y], axis=1)

    found = logits(convolved, jax.nn.relu, pool, grown, joined, x)
    return cross_entropy(jax, jax.numpy.moveaxis(found, 1, -1), target)


WORKLOAD = Workload("U-Net, 64×64, batch {}", 8, weights, data, ours, in_torch, in_jax, rate=0.1)
