"""An MLP 2-16-1 with tanh, which learns to multiply."""

from typing import Any

import numpy as np
from workload import Arrays, Draw, Workload, normal


def weights(draw: Draw, size: int) -> None:
    """Two dense layers"""
    draw.linear("0", 2, 16)
    draw.linear("1", 16, 1)


def data(rng: np.random.Generator, size: int) -> Arrays:
    """Pairs and their products"""
    x = normal(rng, size, 2)
    return {"x": x, "target": x[:, :1] * x[:, 1:]}


def ours(op: Any, w: Any, x: Any, target: Any) -> Any:
    """In ONNX"""
    h = op.Tanh(op.Gemm(x, w["0.weight"], w["0.bias"], transB=1))
    error = op.Gemm(h, w["1.weight"], w["1.bias"], transB=1) - target
    return op.ReduceMean(error * error, keepdims=0)


def in_torch(torch: Any, w: Any, x: Any, target: Any) -> Any:
    """In torch"""
    nn = torch.nn.functional
    h = torch.tanh(nn.linear(x, w["0.weight"], w["0.bias"]))
    return nn.mse_loss(nn.linear(h, w["1.weight"], w["1.bias"]), target)


def in_jax(jax: Any, w: Any, x: Any, target: Any) -> Any:
    """In jax"""
    h = jax.numpy.tanh(x @ w["0.weight"].T + w["0.bias"])
    return ((h @ w["1.weight"].T + w["1.bias"] - target) ** 2).mean()


WORKLOAD = Workload(
    "tiny MLP, 2-16-1, batch {}", 8, weights, data, ours, in_torch, in_jax, repeats=200
)
