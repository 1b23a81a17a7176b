"""What the body of Attention does where other implementations differ, and how little it emits."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og

RNG = np.random.default_rng(5)
Q, K, V = (RNG.normal(size=(2, 4, 3, 8)).astype(np.float32) for _ in range(3))


def attention(*masks: np.ndarray, shape: tuple[Any, ...] = Q.shape, **how: Any) -> og.Graph:
    b = og.Builder("attention")
    inputs = [b.input(name, "float32", shape) for name in "qkv"]
    b.output(b.op.Attention(*inputs, *(b.constant(m) for m in masks), **how), "y")
    return b.build()


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("mask", [np.array([[True, False, True]]), np.zeros((1, 3), np.float32)])
def test_one_row_of_mask_and_the_causal_bound_compose(mask: np.ndarray, backend: str) -> None:
    """The standard composes them; onnx.reference bounds every query as it does the first."""
    y = og.compile(attention(mask, is_causal=1), backend)(q=Q, k=K, v=V)["y"]
    scores = Q @ K.swapaxes(2, 3) / np.sqrt(8)
    bias = np.where(mask, 0, -np.inf) if mask.dtype == bool else mask
    scores = np.where(np.tril(np.ones((3, 3), bool)), scores, -np.inf) + bias
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    np.testing.assert_allclose(y, weights / weights.sum(-1, keepdims=True) @ V, atol=1e-6)


@pytest.mark.parametrize("shape", [Q.shape, ("B", 4, "S", 8)])
def test_the_gradient_of_plain_attention_is_short(shape: tuple[Any, ...]) -> None:
    gradient = og.vjp(attention(shape=shape), "y", ["q", "k", "v"])
    assert len(og.to_onnx(gradient).graph.node) <= 21


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("past", [0, 2])
@pytest.mark.parametrize("sizes", ["static", "symbolic"])
def test_a_mask_shorter_than_the_keys_hides_the_rest(sizes: str, past: int, backend: str) -> None:
    rng = np.random.default_rng(5)
    q, k, v = (rng.normal(size=(1, 1, 3, 4)).astype(np.float32) for _ in range(3))
    old = rng.normal(size=(2, 1, 1, past, 4)).astype(np.float32)
    mask = rng.normal(size=(3, 2 + past)).astype(np.float32)
    arrays = {"q": q, "k": k, "v": v, "mask": mask} | dict(zip(["pk", "pv"], old, strict=True))
    b = og.Builder("short")
    taken = [
        b.input(n, "float32", a.shape if sizes == "static" else [f"{n}{d}" for d in range(a.ndim)])
        for n, a in arrays.items()
        if past or n[0] != "p"
    ]
    b.output(b.op.Attention(*taken, outputs=3 if past else 1)[0] if past else
             b.op.Attention(*taken), "y")  # fmt: skip
    found = og.compile(b.build(), backend).run({n: arrays[n] for n in [t.name for t in taken]})
    keys, values = (np.concatenate([o, a], 2) for o, a in zip(old, (k, v), strict=True))
    seen = keys[:, :, : 2 + past]
    scores = q @ seen.swapaxes(2, 3) / 2 + mask
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(found["y"], weights @ values[:, :, : 2 + past], rtol=1e-4)
