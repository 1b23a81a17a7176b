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


def test_by_the_ratio_it_is_refused() -> None:
    b = og.Builder("dropout")
    x, ratio = b.input("x", "float32", (4,)), b.input("ratio", "float32", ())
    b.output(b.op.Dropout(x, ratio, b.constant(np.array(True))), "y")
    with pytest.raises(og.OnnxgradError, match="ratio"):
        og.vjp(b.build(), "y", "ratio")


def test_a_random_draw_ends_the_gradient() -> None:
    b = og.Builder("noise")
    x = b.input("x", "float32", (4,))
    b.output(b.op.Add(x, b.op.RandomNormalLike(x)), "y")
    dy = np.array([1, 2, 3, 4], np.float32)
    results = og.compile(og.vjp(b.build(), "y", "x")).run({"x": dy, "y.grad": dy})
    np.testing.assert_array_equal(results["x.grad"], dy)
