"""Attention whose scores and probabilities pass through subgraphs, which read values around it."""

import numpy as np
import pytest
from finite_differences import finite_differences

import onnxgrad as og

RNG = np.random.default_rng(0)
FEEDS = {
    "Q": RNG.uniform(-1, 1, (2, 4, 3, 2)),
    "K": RNG.uniform(-1, 1, (2, 2, 5, 2)),
    "V": RNG.uniform(-1, 1, (2, 2, 5, 3)),
    "Score": RNG.uniform(-1, 1, (4, 1, 1)),  # named as a value inside of ONNX's body
}
NAMES = list(FEEDS)
MASK = np.where(np.tri(3, 5, 2), 0, -np.inf)
SEED = RNG.uniform(0.5, 1.5, (2, 4, 3, 3))


def attention(feeds: dict[str, np.ndarray]) -> np.ndarray:
    """Follow the definition: a slope on the scores, causal, and gates on the probabilities."""
    q, k, v, slope = (feeds[n] for n in NAMES)
    k, v = np.repeat(k, 2, axis=1), np.repeat(v, 2, axis=1)
    scores = np.einsum("bhid,bhjd->bhij", q, k) * 0.5 + slope * q.mean() + MASK
    weights = np.exp(scores)
    gated = weights / weights.sum(-1, keepdims=True) / (1 + np.exp(-slope))
    return gated @ v


def graph(symbolic: bool) -> og.Graph:
    b = og.Builder("flex")
    op = b.op
    q, k, v, slope = (
        b.input(n, np.float64, [f"{n}{i}" for i in range(a.ndim)] if symbolic else a.shape)
        for n, a in FEEDS.items()
    )
    scores = (np.float64, ("b", "h", "i", "j") if symbolic else (2, 4, 3, 5))
    mask = b.constant(MASK)
    score_mod = b.subgraph(lambda s: s + slope * op.ReduceMean(q, keepdims=0) + mask, scores)
    prob_mod = b.subgraph(lambda p: p * op.Sigmoid(slope), scores)
    y = op.FlexAttention(
        *(q, k, v), score_mod=score_mod, prob_mod=prob_mod, scale=0.5, domain="ai.onnx.preview"
    )
    b.output(y, "y")
    return b.build()


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
def test_gradient_is_the_difference_by_captured_values_too(symbolic: bool) -> None:
    forward = graph(symbolic)
    y = og.compile(forward).run(FEEDS)["y"]
    np.testing.assert_allclose(y, attention(FEEDS), rtol=1e-6)
    backward = og.vjp(forward, ["y"], NAMES)
    seeds = {"y.grad": SEED}
    actual = og.compile(backward).run({**FEEDS, **seeds})
    again = og.compile(og.load(og.to_onnx(backward))).run({**FEEDS, **seeds})
    for name in NAMES:
        expected = finite_differences(lambda f: float((attention(f) * SEED).sum()), FEEDS, name)
        np.testing.assert_allclose(actual[f"{name}.grad"], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(again[f"{name}.grad"], expected, rtol=1e-5, atol=1e-6)


def test_forward_mode_is_the_directional_difference() -> None:
    pushed = og.jvp(graph(symbolic=False), ["y"], NAMES)
    directions = {n: RNG.uniform(-1, 1, a.shape) for n, a in FEEDS.items()}
    tangents = {f"{n}.tangent": d for n, d in directions.items()}
    actual = og.compile(pushed).run({**FEEDS, **tangents})["y.tangent"]
    ahead, behind = (
        attention({n: a + h * directions[n] for n, a in FEEDS.items()}) for h in (1e-6, -1e-6)
    )
    np.testing.assert_allclose(actual, (ahead - behind) / 2e-6, rtol=1e-5, atol=1e-6)
