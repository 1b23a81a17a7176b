"""An MLP 784-1024-1024-10 with GELU."""

from typing import Any

import numpy as np
from workload import Arrays, Draw, Workload, cross_entropy, normal

SIZES = (784, 1024, 1024, 10)


def weights(draw: Draw, size: int) -> None:
    """Three dense layers"""
    for k in range(3):
        draw.linear(str(k), SIZES[k], SIZES[k + 1])


def data(rng: np.random.Generator, size: int) -> Arrays:
    """Images as rows, and their classes"""
    return {"x": normal(rng, size, 784), "target": rng.integers(0, 10, size)}


def ours(op: Any, w: Any, x: Any, target: Any) -> Any:
    """In ONNX"""
    for k in range(3):
        x = op.Gemm(x, w[f"{k}.weight"], w[f"{k}.bias"], transB=1)
        x = op.Gelu(x) if k < 2 else x
    return op.SoftmaxCrossEntropyLoss(x, target, reduction="mean")


def in_torch(torch: Any, w: Any, x: Any, target: Any) -> Any:
    """In torch"""
    nn = torch.nn.functional
    for k in range(3):
        x = nn.linear(x, w[f"{k}.weight"], w[f"{k}.bias"])
        x = nn.gelu(x) if k < 2 else x
    return nn.cross_entropy(x, target)


def in_jax(jax: Any, w: Any, x: Any, target: Any) -> Any:
    """In jax"""
    for k in range(3):
        x = x @ w[f"{k}.weight"].T + w[f"{k}.bias"]
        x = jax.nn.gelu(x, approximate=False) if k < 2 else x
    return cross_entropy(jax, x, target)


WORKLOAD = Workload(
    "MLP, 784-1024-1024-10 with GELU, batch {}", 128, weights, data, ours, in_torch, in_jax,
    repeats=3,
)  # fmt: skip
