"""The workloads' names, data and graphs of ours; the same networks in torch are torch_modules.py's.

W1: MLP 784-1024-1024-10 with GELU, batch 128. W2: three convolutions (one of stride 2, one of
dilation 2) with GELU on 28×28, batch 64. W3: ResNet-18 on 32×32 with BatchNormalization in training
mode, batch 32. W4: four GPT blocks of width 256 with 8 heads on 128 tokens, batch 8. W5: MLP 2-16-1
with tanh, batch 8.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import onnxgrad as og

Weights = Mapping[str, np.ndarray]
WIDTHS = (64, 128, 256, 512)
"""Channels of the four stages of ResNet-18."""
BLOCKS, WIDTH, HEADS, TOKENS, VOCABULARY = 4, 256, 8, 128, 1000


@dataclass(frozen=True)
class Workload:
    """A network of ours over weights by torch's names, its data, steps in one timing, and η.

    With a larger η the roundings of ResNet's statistics grow tenfold in every step.
    """

    build: Callable[[Weights], og.Graph]
    x: np.ndarray
    target: np.ndarray
    repeats: int
    rate: float = 0.01


def mlp_with_gelu(weights: Weights) -> og.Graph:
    """W1"""
    b = og.Builder("W1")
    h = b.input("x", "float32", (128, 784))
    for k in (0, 2, 4):
        h = linear(b, weights, str(k), h)
        h = b.op.Gelu(h) if k < 4 else h
    return classified(b, h, (128,))


def convolutions(weights: Weights) -> og.Graph:
    """W2"""
    settings: dict[str, dict[str, Any]] = {
        "0": {"pads": [1] * 4},
        "2": {"pads": [1] * 4, "strides": [2, 2]},
        "4": {"pads": [2] * 4, "dilations": [2, 2]},
    }
    b = og.Builder("W2")
    h = b.input("x", "float32", (64, 1, 28, 28))
    for k, attributes in settings.items():
        bias = parameter(b, weights, f"{k}.bias")
        h = b.op.Gelu(b.op.Conv(h, parameter(b, weights, f"{k}.weight"), bias, **attributes))
    return classified(b, linear(b, weights, "7", b.op.Flatten(h)), (64,))


def resnet(weights: Weights) -> og.Graph:
    """W3"""
    b = og.Builder("W3")
    op = b.op

    def convolved(x: Any, name: str, stride: int = 1) -> Any:
        w = parameter(b, weights, f"{name}.0.weight")
        pad = weights[f"{name}.0.weight"].shape[2] // 2
        y = op.Conv(x, w, pads=[pad] * 4, strides=[stride, stride])
        parts = ("weight", "bias", "running_mean", "running_var")
        scale, shift, mean, variance = (parameter(b, weights, f"{name}.1.{p}") for p in parts)
        return op.BatchNormalization(y, scale, shift, mean, variance, training_mode=1, outputs=3)[0]

    h = op.Relu(convolved(b.input("x", "float32", (32, 3, 32, 32)), "stem"))
    for stage in range(4):
        for k in range(2):
            name, stride = f"stages.{stage}.{k}", 2 if stage and not k else 1
            y = op.Relu(convolved(h, f"{name}.first", stride))
            y = convolved(y, f"{name}.second")
            shortcut = convolved(h, f"{name}.shortcut", stride) if stage and not k else h
            h = op.Relu(y + shortcut)
    pooled = op.Flatten(op.GlobalAveragePool(h))
    return classified(b, linear(b, weights, "head", pooled), (32,))


def gpt(weights: Weights) -> og.Graph:
    """W4, and transformers of other widths and depths, as the weights have it"""
    b = og.Builder("W4")
    op = b.op
    width = weights["places"].shape[1]
    size = WIDTH // HEADS

    def normalized(x: Any, name: str) -> Any:
        scale, shift = (parameter(b, weights, f"{name}.{p}") for p in ("weight", "bias"))
        return op.LayerNormalization(x, scale, shift)

    def dense(x: Any, name: str) -> Any:
        w = op.Transpose(parameter(b, weights, f"{name}.weight"), perm=[1, 0])
        return op.MatMul(x, w) + parameter(b, weights, f"{name}.bias")

    def heads(x: Any) -> Any:
        return op.Transpose(op.Reshape(x, [8, TOKENS, -1, size]), perm=[0, 2, 1, 3])

    tokens = b.input("x", "int64", (8, TOKENS))
    h = op.Gather(parameter(b, weights, "tokens.weight"), tokens)
    h = h + parameter(b, weights, "places")
    mask = b.constant(np.triu(np.full((TOKENS, TOKENS), -np.inf, np.float32), 1))
    for k in range(sum(name.endswith(".qkv.weight") for name in weights)):
        name = f"blocks.{k}"
        q, key, v = op.Split(
            dense(normalized(h, f"{name}.before"), f"{name}.qkv"), axis=2, num_outputs=3
        )
        scores = heads(q) @ op.Transpose(heads(key), perm=[0, 1, 3, 2])
        mixed = op.Softmax(scores * size**-0.5 + mask) @ heads(v)
        joined = op.Reshape(op.Transpose(mixed, perm=[0, 2, 1, 3]), [8, TOKENS, width])
        h = h + dense(joined, f"{name}.out")
        wide = op.Gelu(dense(normalized(h, f"{name}.between"), f"{name}.wide"))
        h = h + dense(wide, f"{name}.narrow")
    logits = dense(normalized(h, "last"), "head")
    return classified(b, op.Transpose(logits, perm=[0, 2, 1]), (8, TOKENS))


def tiny_mlp(weights: Weights) -> og.Graph:
    """W5"""
    b = og.Builder("W5")
    h = b.op.Tanh(linear(b, weights, "0", b.input("x", "float32", (8, 2))))
    error = linear(b, weights, "2", h) - b.input("target", "float32", (8, 1))
    b.output(b.op.ReduceMean(error * error, keepdims=0), "loss")
    return b.build()


def parameter(b: og.Builder, weights: Weights, name: str) -> og.Tensor:
    """Add a weight of torch's under its name."""
    return b.parameter(name, weights[name])


def linear(b: og.Builder, weights: Weights, name: str, x: Any) -> Any:
    """x·Wᵀ + b with torch's layout of W."""
    w, bias = (parameter(b, weights, f"{name}.{part}") for part in ("weight", "bias"))
    return b.op.Gemm(x, w, bias, transB=1)


def classified(b: og.Builder, logits: Any, shape: tuple[int, ...]) -> og.Graph:
    """Close a network with the mean cross-entropy."""
    target = b.input("target", "int64", shape)
    b.output(b.op.SoftmaxCrossEntropyLoss(logits, target, reduction="mean"), "loss")
    return b.build()


_RNG = np.random.default_rng(0)


def _normal(*shape: int) -> np.ndarray:
    return _RNG.normal(size=shape).astype(np.float32)


_PAIRS = _normal(8, 2)
_TEXT = _RNG.integers(0, VOCABULARY, (8, TOKENS + 1))

WORKLOADS = {
    "W1": Workload(mlp_with_gelu, _normal(128, 784), _RNG.integers(0, 10, 128), 3),
    "W2": Workload(convolutions, _normal(64, 1, 28, 28), _RNG.integers(0, 10, 64), 2),
    "W3": Workload(resnet, _normal(32, 3, 32, 32), _RNG.integers(0, 10, 32), 1, 0.001),
    "W4": Workload(gpt, _TEXT[:, :-1], _TEXT[:, 1:], 1),
    "W5": Workload(tiny_mlp, _PAIRS, _PAIRS[:, :1] * _PAIRS[:, 1:], 200),
}
