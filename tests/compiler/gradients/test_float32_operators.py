"""Operators without float64: against differences of any step where they are linear in each input,
else against differences of their formulas in float64."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from finite_differences import finite_differences

import onnxgrad as og

RNG = np.random.default_rng(0)
ANGLES = [RNG.uniform(-1, 1, (5, 2)).astype(np.float32) for _ in range(2)]


def array(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


CASES = [
    ("RotaryEmbedding", [array(1, 2, 3, 4), *ANGLES, np.array([[1, 0, 4]])], {}, 1),
    ("RotaryEmbedding", [array(1, 2, 3, 4), *ANGLES, np.array([[1, 0, 4]])], {"interleaved": 1}, 1),
    (
        "RotaryEmbedding",
        [array(1, 3, 12), array(1, 3, 2), array(1, 3, 2)],
        {"num_heads": 2, "rotary_embedding_dim": 4},
        1,
    ),
    ("CausalConvWithState", [array(1, 2, 5), array(2, 1, 3), array(2)], {}, 2),
    ("CausalConvWithState", [array(1, 2, 5), array(2, 1, 3), None, array(1, 2, 2)], {}, 2),
]


@pytest.mark.parametrize("operator, inputs, attributes, outputs", CASES)
def test_gradient_is_the_difference(
    operator: str, inputs: list[np.ndarray | None], attributes: dict[str, int], outputs: int
) -> None:
    b = og.Builder(operator)
    values = [
        None if a is None else b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(inputs)
    ]
    results = getattr(b.op, operator)(*values, outputs=outputs, **attributes)
    for k, y in enumerate(results if isinstance(results, tuple) else [results]):
        b.output(y, f"y{k}")
    graph = b.build()
    feeds = {f"x{k}": a for k, a in enumerate(inputs) if a is not None}
    of = [f"y{k}" for k in range(outputs)]
    wrt = [name for name, a in feeds.items() if a.dtype == np.float32]
    forward = og.compile(graph)
    seeds = {f"{n}.grad": array(*a.shape) for n, a in forward.run(feeds).items()}
    actual = og.compile(og.vjp(graph, of, wrt)).run({**feeds, **seeds})
    for name in wrt:
        direction = array(*feeds[name].shape)
        high, low = (forward.run({**feeds, name: feeds[name] + s * direction}) for s in (1, -1))
        expected = sum(float(((high[n] - low[n]) * seeds[f"{n}.grad"]).sum()) / 2 for n in of)
        np.testing.assert_allclose((actual[f"{name}.grad"] * direction).sum(), expected, rtol=1e-4)


def causal_convolution(
    x: np.ndarray,
    w: np.ndarray,
    bias: np.ndarray | None = None,
    state: np.ndarray | None = None,
    activation: str = "none",
) -> list[np.ndarray]:
    """Follow the definition of CausalConvWithState."""
    taps, length = w.shape[2], x.shape[2]
    past = np.zeros((*x.shape[:2], taps - 1)) if state is None else state
    whole = np.concatenate([past, x], 2)
    y = np.sum([whole[:, :, k : k + length] * w[:, 0, k, None] for k in range(taps)], axis=0)
    y = y if bias is None else y + bias[:, None]
    return [y if activation == "none" else y / (1 + np.exp(-y)), whole[:, :, length:]]


def linear_attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    state: np.ndarray | None = None,
    decay: np.ndarray | None = None,
    beta: np.ndarray | None = None,
    *,
    q_num_heads: int,
    kv_num_heads: int,
    update_rule: str,
    scale: float | None = None,
) -> list[np.ndarray]:
    """Follow the recurrence in the definition of LinearAttention, token by token."""
    batch, tokens, heads = q.shape[0], q.shape[1], kv_num_heads
    q, k, v = (
        a.reshape(batch, tokens, n, -1) for a, n in ((q, q_num_heads), (k, heads), (v, heads))
    )
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    s = np.zeros((batch, heads, k.shape[-1], v.shape[-1])) if state is None else state
    rows = []
    for t in range(tokens):
        if decay is not None:
            s = s * np.exp(decay[:, t].reshape(batch, heads, -1))[..., None]
        added = v[:, t]
        if beta is not None:
            known = np.einsum("bhkv,bhk->bhv", s, k[:, t])
            added = beta[:, t, :, None] * (added - known)
        s = s + k[:, t, :, :, None] * added[:, :, None]
        seen = np.repeat(s, q_num_heads // heads, axis=1)
        rows.append(scale * np.einsum("bhkv,bhk->bhv", seen, q[:, t]).reshape(batch, -1))
    return [np.stack(rows, 1), s]


HEADS = {"q_num_heads": 2, "kv_num_heads": 1}
QKV = [array(2, 3, 4), array(2, 3, 2), array(2, 3, 3)]
CURVED: list[Any] = [  # operator, its recurrence, inputs, attributes
    *(
        ("CausalConvWithState", causal_convolution, inputs, {"activation": activation})
        for activation, inputs in (
            ("silu", [array(2, 3, 4), array(3, 1, 3), array(3)]),
            ("swish", [array(1, 2, 2), array(2, 1, 4), None, array(1, 2, 3)]),
            ("none", [array(2, 1, 3), array(1, 1, 1), array(1), array(2, 1, 0)]),
        )
    ),
    *(
        ("LinearAttention", linear_attention, [*QKV, *rest], HEADS | {"update_rule": rule})
        for rule, rest in (
            ("linear", [array(2, 1, 2, 3)]),
            ("gated", [None, array(2, 3, 2)]),
            ("gated", [array(2, 1, 2, 3), array(2, 3, 1)]),
            ("delta", [None, None, array(2, 3, 1)]),
            ("gated_delta", [array(2, 1, 2, 3), array(2, 3, 2), array(2, 3, 1)]),
        )
    ),
    (
        "LinearAttention",
        linear_attention,
        [array(1, 2, 4), array(1, 2, 4), array(1, 2, 2), None, None, array(1, 2, 2)],
        {"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "delta", "scale": 0.75},
    ),
]


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("operator, formula, inputs, attributes", CURVED)
def test_gradient_is_the_difference_of_the_formula(
    operator: str,
    formula: Callable[..., list[np.ndarray]],
    inputs: list[np.ndarray | None],
    attributes: dict[str, Any],
    symbolic: bool,
) -> None:
    b = og.Builder(operator)
    values = []
    for k, a in enumerate(inputs):
        shape = None if a is None else [f"d{k}{i}" for i in range(a.ndim)] if symbolic else a.shape
        values.append(None if a is None else b.input(f"x{k}", a.dtype, shape))
    for k, y in enumerate(getattr(b.op, operator)(*values, outputs=2, **attributes)):
        b.output(y, f"y{k}")
    graph = b.build()
    feeds = {f"x{k}": a for k, a in enumerate(inputs) if a is not None}
    results = og.compile(graph).run(feeds)
    doubles = {n: a.astype(np.float64) for n, a in feeds.items()}

    def outputs(moved: dict[str, np.ndarray]) -> list[np.ndarray]:
        return formula(*(moved.get(f"x{k}") for k in range(len(inputs))), **attributes)

    for y, expected in zip(results.values(), outputs(doubles), strict=True):
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    seeds = {f"{n}.grad": array(*y.shape) for n, y in results.items()}

    def loss(moved: dict[str, np.ndarray]) -> float:
        pairs = zip(outputs(moved), seeds.values(), strict=True)
        return float(sum((y * seed).sum() for y, seed in pairs))

    actual = og.compile(og.vjp(graph, [*results], [*feeds])).run({**feeds, **seeds})
    for name in feeds:
        expected = finite_differences(loss, doubles, name)
        np.testing.assert_allclose(actual[f"{name}.grad"], expected, rtol=1e-3, atol=1e-4)
