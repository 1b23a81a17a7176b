"""GPT: four blocks of width 256, and twelve of width 768 with GPT-2's vocabulary."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from workload import Arrays, Draw, Workload, cross_entropy


@dataclass(frozen=True)
class Shape:
    """What a GPT is made of; the number of tokens is the workload's size."""

    blocks: int
    width: int
    heads: int
    vocabulary: int
    batch: int


def weights(shape: Shape, draw: Draw, size: int) -> None:
    """Embeddings, blocks and a head"""
    width = shape.width
    draw.normal("tokens", shape.vocabulary, width)
    draw.normal("places", size, width, scale=0.02)
    for k in range(shape.blocks):
        for name in ("before", "between"):
            draw.normalization(f"{k}.{name}", width)
        draw.linear(f"{k}.qkv", width, 3 * width)
        draw.linear(f"{k}.out", width, width)
        draw.linear(f"{k}.wide", width, 4 * width)
        draw.linear(f"{k}.narrow", 4 * width, width)
    draw.normalization("last", width)
    draw.linear("head", width, shape.vocabulary)


def data(shape: Shape, rng: np.random.Generator, size: int) -> Arrays:
    """Text, and the same text one token on"""
    text = rng.integers(0, shape.vocabulary, (shape.batch, size + 1))
    return {"x": text[:, :-1].copy(), "target": text[:, 1:].copy()}


def logits(shape: Shape, w: Any, h: Any, dense: Any, norm: Any, gelu: Any, attend: Any) -> Any:
    """Give the logits of embedded text, by layers (x, name), GELU and attention of qkv."""
    for k in range(shape.blocks):
        h = h + dense(attend(dense(norm(h, f"{k}.before"), f"{k}.qkv")), f"{k}.out")
        h = h + dense(gelu(dense(norm(h, f"{k}.between"), f"{k}.wide")), f"{k}.narrow")
    return dense(norm(h, "last"), "head")


def ours(shape: Shape, op: Any, w: Any, x: Any, target: Any) -> Any:
    """In ONNX"""
    tokens, size = w["places"].shape[0], shape.width // shape.heads
    mask = np.triu(np.full((tokens, tokens), -np.inf, np.float32), 1)

    def dense(x: Any, name: str) -> Any:
        return x @ op.Transpose(w[f"{name}.weight"], perm=[1, 0]) + w[f"{name}.bias"]

    def norm(x: Any, name: str) -> Any:
        return op.LayerNormalization(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def attend(qkv: Any) -> Any:
        q, key, v = (
            op.Transpose(op.Reshape(part, [shape.batch, tokens, -1, size]), perm=[0, 2, 1, 3])
            for part in op.Split(qkv, axis=2, num_outputs=3)
        )
        scores = q @ op.Transpose(key, perm=[0, 1, 3, 2])
        mixed = op.Softmax(scores * size**-0.5 + mask) @ v
        return op.Reshape(
            op.Transpose(mixed, perm=[0, 2, 1, 3]), [shape.batch, tokens, shape.width]
        )

    h = op.Gather(w["tokens"], x) + w["places"]
    found = logits(shape, w, h, dense, norm, op.Gelu, attend)
    return op.SoftmaxCrossEntropyLoss(op.Transpose(found, perm=[0, 2, 1]), target, reduction="mean")


def in_torch(shape: Shape, torch: Any, w: Any, x: Any, target: Any) -> Any:
    """In torch; attention is its own fused function"""
    nn = torch.nn.functional

    def dense(x: Any, name: str) -> Any:
        return nn.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x: Any, name: str) -> Any:
        return nn.layer_norm(x, (shape.width,), w[f"{name}.weight"], w[f"{name}.bias"])

    def attend(qkv: Any) -> Any:
        q, k, v = (part.unflatten(2, (shape.heads, -1)).transpose(1, 2) for part in qkv.chunk(3, 2))
        mixed = nn.scaled_dot_product_attention(q, k, v, is_causal=True)
        return mixed.transpose(1, 2).flatten(2)

    h = nn.embedding(x, w["tokens"]) + w["places"]
    found = logits(shape, w, h, dense, norm, nn.gelu, attend)
    return nn.cross_entropy(found.flatten(0, 1), target.flatten())


def in_jax(shape: Shape, jax: Any, w: Any, x: Any, target: Any) -> Any:
    """In jax; attention is its own function"""

    def dense(x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: Any, name: str) -> Any:
        return jax.nn.standardize(x, epsilon=1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def attend(qkv: Any) -> Any:
        parts = jax.numpy.split(qkv, 3, axis=2)
        q, k, v = (part.reshape(*x.shape, shape.heads, -1) for part in parts)
        return jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(*x.shape, -1)

    h = w["tokens"][x] + w["places"]
    gelu = partial(jax.nn.gelu, approximate=False)
    return cross_entropy(jax, logits(shape, w, h, dense, norm, gelu, attend), target)


def workload(title: str, shape: Shape, size: int = 128, **settings: Any) -> Workload:
    """Give the workload of a shape."""
    return Workload(
        title,
        size,
        partial(weights, shape),
        partial(data, shape),
        partial(ours, shape),
        partial(in_torch, shape),
        partial(in_jax, shape),
        **settings,
    )


SMALL = workload("GPT blocks, four of width 256, batch 8, {} tokens", Shape(4, 256, 8, 1000, 8))
LARGE = workload(
    "GPT of 162 M, AdamW, {} tokens",
    Shape(12, 768, 12, 50257, 1),
    optimizer="AdamW",
    rate=1e-4,
    alone=True,
)
