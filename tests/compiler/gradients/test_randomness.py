"""The gradient of Dropout follows the mask that its own forward drew."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og


def dropout(training: Any, ratio: float | None, mask: bool) -> og.Graph:
    b = og.Builder("dropout")
    x = b.input("x", "float32", ("N", 8))
    flag = (
        b.input("training", "bool", ()) if training == "input" else b.constant(np.array(training))
    )
    chance = None if ratio is None else b.constant(np.array(ratio, np.float32))
    results = b.op.Dropout(x, chance, flag, outputs=2 if mask else 1)
    b.output(results[0] if mask else results, "y")
    if mask:
        b.output(results[1], "mask")
    return b.build()


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("ratio", [None, 0.25])
def test_training_uses_the_mask_of_the_forward(backend: str, mask: bool, ratio: Any) -> None:
    graph = og.vjp(dropout(True, ratio, mask), "y", "x")
    x = np.random.default_rng(0).uniform(1, 2, (64, 8)).astype(np.float32)
    results = og.compile(graph, backend).run({"x": x, "y.grad": np.ones_like(x)})
    # y = x·mask/(1 − ratio) is linear: its slope is y/x
    np.testing.assert_allclose(results["x.grad"], results["y"] / x, rtol=1e-5)
    kept = 1 - (0.5 if ratio is None else ratio)
    assert set(np.round(np.unique(results["x.grad"]), 4)) == {0.0, np.float32(round(1 / kept, 4))}


@pytest.mark.parametrize("training", [False, True])
def test_training_may_be_decided_at_run_time(training: bool) -> None:
    graph = og.vjp(dropout("input", 0.5, False), "y", "x")
    x = np.random.default_rng(0).uniform(1, 2, (64, 8)).astype(np.float32)
    feeds = {"x": x, "y.grad": np.ones_like(x), "training": np.array(training)}
    results = og.compile(graph).run(feeds)
    np.testing.assert_allclose(results["x.grad"], results["y"] / x, rtol=1e-5)
    assert (results["y"] == x).all() != training


def test_without_training_it_is_the_identity() -> None:
    graph = og.vjp(dropout(False, 0.5, False), "y", "x")
    assert [n.op_type for n in graph.nodes()] == ["Dropout", "Identity"]


def test_the_second_order_is_zero_by_x_and_the_same_mask_by_the_cotangent() -> None:
    first = og.vjp(dropout(True, 0.5, False), "y", "x")
    second = og.vjp(first, "x.grad", "y.grad", names={"x.grad": "u", "y.grad": "result"})
    x = np.random.default_rng(0).uniform(1, 2, (4, 8)).astype(np.float32)
    ones = np.ones_like(x)
    results = og.compile(second).run({"x": x, "y.grad": ones, "u": ones})
    np.testing.assert_array_equal(results["result"], results["x.grad"])


def by_ratio(dtype: str = "float64", shape: Any = ()) -> og.Graph:
    """Dropout whose ratio and training mode are inputs."""
    b = og.Builder("dropout")
    x, ratio = b.input("x", dtype, ("N", 8)), b.input("ratio", dtype, shape)
    y, mask = b.op.Dropout(x, ratio, b.input("training", "bool", ()), outputs=2)
    b.output(y, "y")
    b.output(mask, "mask")
    return b.build()


def feeds_by_ratio(ratio: float, training: bool, dtype: str = "float64") -> dict[str, np.ndarray]:
    x, dy = np.random.default_rng(0).uniform(1, 2, (2, 16, 8)).astype(dtype)
    flags = {"ratio": np.array(ratio, dtype), "training": np.array(training)}
    return {"x": x, "y.grad": dy, **flags}


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.9])
def test_by_the_ratio_the_mask_stays(ratio: float, training: bool, backend: str) -> None:
    """Where the mask m was drawn, d/dr Σ dy·x·m/(1 − r) = Σ dy·x·m/(1 − r)²; else it is zero."""
    graph = og.vjp(by_ratio("float32"), "y", ["x", "ratio"])
    feeds = feeds_by_ratio(ratio, training, "float32")
    results = og.compile(graph, backend).run(feeds)
    x, dy, mask = (np.float64(v) for v in (feeds["x"], feeds["y.grad"], results["mask"]))
    expected = (dy * x * mask).sum() / (1 - ratio) ** 2 if training else 0.0
    assert results["ratio.grad"].shape == ()
    np.testing.assert_allclose(results["ratio.grad"], expected, rtol=1e-5)
    slopes = mask / (1 - ratio) if training else 1.0
    np.testing.assert_allclose(results["x.grad"], dy * slopes, rtol=1e-5)


def test_the_second_order_by_the_ratio() -> None:
    """With ψ = dr of Σ dy·y: dψ/dr = 2·Σ dy·x·m/(1 − r)³, dψ/dx = dy·m/(1 − r)²."""
    first = og.vjp(by_ratio(), "y", "ratio")
    names = {"ratio": "by_ratio", "ratio.grad": "u"}
    graph = og.vjp(first, "ratio.grad", ["ratio", "x", "y.grad"], names=names)
    feeds = feeds_by_ratio(0.25, True) | {"u": np.array(1.0)}
    results = og.compile(graph).run(feeds)
    moved = feeds["x"] * results["mask"] / 0.75**2
    np.testing.assert_allclose(results["by_ratio"], 2 * (feeds["y.grad"] * moved).sum() / 0.75)
    np.testing.assert_allclose(results["x.grad"], feeds["y.grad"] * results["mask"] / 0.75**2)
    np.testing.assert_allclose(results["y.grad.grad"], moved)


def test_forward_mode_by_the_ratio() -> None:
    graph = og.jvp(by_ratio(), "y", "ratio")
    feeds = feeds_by_ratio(0.25, True) | {"ratio.tangent": np.array(2.0)}
    results = og.compile(graph).run({k: v for k, v in feeds.items() if k != "y.grad"})
    np.testing.assert_allclose(results["y.tangent"], 2 * results["y"] / 0.75)


def test_a_ratio_that_training_never_reads_has_no_gradient() -> None:
    b = og.Builder("dropout")
    x, ratio = b.input("x", "float32", (4,)), b.input("ratio", "float32", ())
    b.output(b.op.Dropout(x, ratio), "y")
    graph = b.build()
    with pytest.raises(og.GradientError, match="does not depend on 'ratio'"):
        og.vjp(graph, "y", "ratio")
    feeds = {"x": np.ones(4, "f"), "ratio": np.array(0.5, "f"), "y.grad": np.ones(4, "f")}
    results = og.compile(og.vjp(graph, "y", "ratio", allow_unused=True)).run(feeds)
    assert results["ratio.grad"] == 0


def test_a_random_draw_ends_the_gradient() -> None:
    b = og.Builder("noise")
    x = b.input("x", "float32", (4,))
    b.output(b.op.Add(x, b.op.RandomNormalLike(x)), "y")
    dy = np.array([1, 2, 3, 4], np.float32)
    results = og.compile(og.vjp(b.build(), "y", "x")).run({"x": dy, "y.grad": dy})
    np.testing.assert_array_equal(results["x.grad"], dy)
