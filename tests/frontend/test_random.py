"""og.random: the same bits everywhere, and the right distributions."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og

MASK = 2**64 - 1


def squares(counter: int, key: int) -> int:
    """Squares with Python's integers, from the paper's text."""
    x = y = counter * key & MASK
    z = (y + key) & MASK
    for addend in (y, z, y):
        x = (x * x + addend) & MASK
        x = (x >> 32 | x << 32) & MASK
    return (x * x + z) & MASK


def expected_bits(seed: int, count: int) -> list[int]:
    key = squares(seed % 2**64, 0x548C9DECBCE65297) | 1
    return [squares(k, key) for k in range(count)]


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("seed", [0, 1, 2**40 + 7, -3])
def test_bits_are_those_of_the_paper(backend: str, seed: int) -> None:
    b = og.Builder("bits")
    b.output(og.random.bits(b, seed, (3, 4)), "y")
    result = og.compile(b.build(), backend)()["y"]
    assert result.dtype == np.uint64
    assert result.ravel().tolist() == expected_bits(seed, 12)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_the_seed_may_be_an_input(backend: str) -> None:
    b = og.Builder("bits")
    b.output(og.random.bits(b, b.input("step", "int64", ()), (5,)), "y")
    run = og.compile(b.build(), backend)
    for step in (0, 1, 2):
        assert run(step=np.array(step))["y"].tolist() == expected_bits(step, 5)


def test_distributions() -> None:
    b = og.Builder("draws")
    b.output(og.random.uniform(b, 1, (100_000,), -1, 3), "uniform")
    b.output(og.random.normal(b, 2, (100_000,), 5, 2), "normal")
    b.output(og.random.bernoulli(b, 3, (100_000,), 0.3), "bernoulli")
    drawn = og.compile(b.build())()
    uniform, normal = drawn["uniform"].astype(float), drawn["normal"].astype(float)
    assert -1 <= uniform.min() and uniform.max() < 3
    counts, _ = np.histogram(uniform, 50, (-1, 3))
    assert ((counts - 2000) ** 2 / 2000).sum() < 85  # χ² of 49 degrees, 1 in 1,000 is above 85.35
    assert abs(normal.mean() - 5) < 4 * 2 / 100_000**0.5
    assert abs(normal.std() - 2) < 0.02
    assert abs((normal < 5 + 2 * 1.96).mean() - 0.975) < 0.002
    assert abs(drawn["bernoulli"].mean() - 0.3) < 4 * (0.21 / 100_000) ** 0.5


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_the_gradient_of_dropout_has_the_forwards_mask(backend: str) -> None:
    b = og.Builder("dropout")
    x = b.input("x", "float32", ("N", 8))
    b.output(og.random.dropout(b, x, 7, ratio=0.25), "y")
    graph = og.vjp(b.build(), "y", "x")
    ones = np.ones((40, 8), np.float32)
    result = og.compile(graph, backend).run({"x": ones, "y.grad": ones})
    np.testing.assert_array_equal(result["x.grad"], result["y"])
    assert set(np.unique(result["y"])) == {np.float32(0), np.float32(4 / 3)}
    assert 0.6 < (result["y"] > 0).mean() < 0.9


def test_a_seed_is_an_integer() -> None:
    b = og.Builder("bad")
    with pytest.raises(og.GraphError, match="a seed is an integer"):
        og.random.bits(b, b.input("x", "float32", ()), (2,))


@pytest.mark.parametrize("seed", [1.5, "a", None])
def test_a_seed_is_one_integer(seed: Any) -> None:
    with pytest.raises(og.GraphError, match="a seed is an integer, not"):
        og.random.uniform(og.Builder(), seed, (2,))


@pytest.mark.parametrize("shape", [(-1, 2), (1.5,), "N"])
def test_a_shape_has_sizes(shape: Any) -> None:
    with pytest.raises(og.GraphError, match="a list of sizes|cannot be a tensor"):
        og.random.normal(og.Builder(), 1, shape)


def test_numpys_integers_are_seeds() -> None:
    b = og.Builder()
    for name, seed in {"a": 3, "b": np.int64(3), "c": np.uint64(3)}.items():
        b.output(og.random.bits(b, seed, (4,)), name)  # type: ignore[arg-type]
    found = og.compile(b.build())()
    assert (found["a"] == found["b"]).all() and (found["a"] == found["c"]).all()
