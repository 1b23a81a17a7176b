"""Operators without float64, linear in each input: differences of any step are exact."""

import numpy as np
import pytest

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
