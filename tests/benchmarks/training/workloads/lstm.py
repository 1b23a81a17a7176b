"""An LSTM of 128 units over sequences of 64 numbers, classified by its last state."""

from typing import Any

import numpy as np
from workload import Arrays, Draw, Workload, cross_entropy, normal

INPUTS, UNITS, BATCH = 64, 128, 32


def weights(draw: Draw, size: int) -> None:
    """The gates' weights in torch's order, i, f, g, o, and a dense layer"""
    draw.linear("input", INPUTS, 4 * UNITS)
    draw.linear("state", UNITS, 4 * UNITS)
    draw.linear("head", UNITS, 10)


def data(rng: np.random.Generator, size: int) -> Arrays:
    """Sequences and their classes"""
    return {"x": normal(rng, size, BATCH, INPUTS), "target": rng.integers(0, 10, BATCH)}


def ours(op: Any, w: Any, x: Any, target: Any) -> Any:
    """In ONNX, whose order of gates is i, o, f, g"""

    def ordered(name: str) -> Any:
        i, f, g, o = op.Split(w[name], axis=0, num_outputs=4)
        return op.Unsqueeze(op.Concat(i, o, f, g, axis=0), [0])

    both = op.Concat(ordered("input.bias"), ordered("state.bias"), axis=1)
    _, last, _ = op.LSTM(
        x, ordered("input.weight"), ordered("state.weight"), both, hidden_size=UNITS, outputs=3
    )
    logits = op.Gemm(op.Squeeze(last, [0]), w["head.weight"], w["head.bias"], transB=1)
    return op.SoftmaxCrossEntropyLoss(logits, target, reduction="mean")


def in_torch(torch: Any, w: Any, x: Any, target: Any) -> Any:
    """In torch, by what nn.LSTM calls"""
    nn = torch.nn.functional
    start = torch.zeros(1, BATCH, UNITS)
    gates = [w[name] for name in ("input.weight", "state.weight", "input.bias", "state.bias")]
    _, last, _ = torch.lstm(x, (start, start), gates, True, 1, 0.0, True, False, False)
    return nn.cross_entropy(nn.linear(last[0], w["head.weight"], w["head.bias"]), target)


def in_jax(jax: Any, w: Any, x: Any, target: Any) -> Any:
    """In jax"""
    fed = x @ w["input.weight"].T + w["input.bias"] + w["state.bias"]

    def step(state: Any, fed: Any) -> Any:
        h, c = state
        i, f, g, o = jax.numpy.split(fed + h @ w["state.weight"].T, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
        return (jax.nn.sigmoid(o) * jax.numpy.tanh(c), c), None

    start = jax.numpy.zeros((BATCH, UNITS), x.dtype)
    (last, _), _ = jax.lax.scan(step, (start, start), fed)
    return cross_entropy(jax, last @ w["head.weight"].T + w["head.bias"], target)


WORKLOAD = Workload(
    "LSTM, 128 units, batch 32, {} steps", 64, weights, data, ours, in_torch, in_jax, rate=0.1
)
