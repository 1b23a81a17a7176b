"""Three convolutions with GELU on 28×28, one of stride 2 and one of dilation 2."""

from typing import Any

import numpy as np
from workload import Arrays, Draw, Workload, cross_entropy, normal

LAYERS = ((1, 32, 1, 1), (32, 64, 2, 1), (64, 64, 1, 2))
"""Channels in and out, stride, and dilation, which is also the padding."""


def weights(draw: Draw, size: int) -> None:
    """Three convolutions and a dense layer"""
    for k, (channels, width, _, _) in enumerate(LAYERS):
        draw.convolution(str(k), (width, channels, 3, 3), width)
    draw.linear("head", 64 * 14 * 14, 10)


def data(rng: np.random.Generator, size: int) -> Arrays:
    """Images and their classes"""
    return {"x": normal(rng, size, 1, 28, 28), "target": rng.integers(0, 10, size)}


def ours(op: Any, w: Any, x: Any, target: Any) -> Any:
    """In ONNX"""
    for k, (_, _, stride, dilation) in enumerate(LAYERS):
        x = op.Conv(
            x, w[f"{k}.weight"], w[f"{k}.bias"],
            strides=[stride] * 2, pads=[dilation] * 4, dilations=[dilation] * 2,
        )  # fmt: skip
        x = op.Gelu(x)
    logits = op.Gemm(op.Flatten(x), w["head.weight"], w["head.bias"], transB=1)
    return op.SoftmaxCrossEntropyLoss(logits, target, reduction="mean")


def in_torch(torch: Any, w: Any, x: Any, target: Any) -> Any:
    """In torch"""
    nn = torch.nn.functional
    for k, (_, _, stride, dilation) in enumerate(LAYERS):
        x = nn.gelu(nn.conv2d(x, w[f"{k}.weight"], w[f"{k}.bias"], stride, dilation, dilation))
    return nn.cross_entropy(nn.linear(x.flatten(1), w["head.weight"], w["head.bias"]), target)


def in_jax(jax: Any, w: Any, x: Any, target: Any) -> Any:
    """In jax"""
    for k, (_, _, stride, dilation) in enumerate(LAYERS):
        x = jax.lax.conv_general_dilated(
            x, w[f"{k}.weight"], (stride, stride), [(dilation, dilation)] * 2,
            rhs_dilation=(dilation, dilation),
        )  # fmt: skip
        x = jax.nn.gelu(x + w[f"{k}.bias"][:, None, None], approximate=False)
    logits = x.reshape(len(x), -1) @ w["head.weight"].T + w["head.bias"]
    return cross_entropy(jax, logits, target)


WORKLOAD = Workload(
    "convolutions, three on 28×28, batch {}", 64, weights, data, ours, in_torch, in_jax, repeats=2
)
