"""Gradients and update as two graphs: the same numbers as one step, and sums of gradients."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from trajectories import FEEDS, STORED, regression

import onnxgrad as og

ADAM = og.optim.Adam(0.05, b1=0.8, b2=0.99, eps=1e-6)


def weights_of(backward: og.Graph) -> dict[str, np.ndarray]:
    return {v.name: v.constant for v in backward.inputs if v.constant is not None}


def only_gradients(results: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n: a for n, a in results.items() if n.endswith(".grad")}


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_two_graphs_are_one_step(backend: str) -> None:
    backward, update = og.split_step(regression(), optimizer=ADAM)
    assert [v.name for v in backward.inputs] == ["x", "t", "w", "c"]
    assert [v.name for v in backward.outputs] == ["loss", "w.grad", "c.grad"]
    assert [v.name for v in update.inputs][:4] == ["w.grad", "c.grad", "w", "c"]
    f, second = og.compile(backward, backend), og.compile(update, backend).stepper()
    whole = og.compile(og.train_step(regression(), optimizer=ADAM), backend).stepper()
    for _ in range(5):
        weights = {n: second.state()[n] for n in "wc"}
        results = f.run(FEEDS | weights)
        second.run(only_gradients(results))
        assert results["loss"] == whole(**FEEDS)["loss"]
    for name, array in whole.state().items():
        np.testing.assert_array_equal(second.state()[name], array)
    np.testing.assert_allclose(second.state()["w"], STORED["adam.w"][4], rtol=1e-9)


def test_gradients_of_parts_add_up() -> None:
    """The loss is a sum over rows, so that of three parts, one after the other, is the whole."""
    backward, _ = og.split_step(regression(), optimizer=ADAM)
    f, weights = og.compile(backward), weights_of(backward)
    whole = f.run(FEEDS | weights)
    parts = [f.run({n: FEEDS[n][k : k + 2] for n in "xt"} | weights) for k in (0, 2, 4)]
    for name in ("w.grad", "c.grad"):
        np.testing.assert_allclose(sum(p[name] for p in parts), whole[name], rtol=1e-12)


def test_both_files_run_in_stock_onnxruntime() -> None:
    single = {n: STORED[n].astype(np.float32) for n in "xtwc"}
    graph = regression(single["w"], single["c"])
    sessions = [
        onnxruntime.InferenceSession(og.to_onnx(part).SerializeToString())
        for part in og.split_step(graph, optimizer=og.optim.SGD("rate"))
    ]
    _, *gradients = sessions[0].run(None, single)
    feeds = dict(zip(["w.grad", "c.grad"], gradients, strict=True))
    weights = {n: single[n] for n in "wc"}
    w: Any = sessions[1].run(None, feeds | weights | {"rate": np.array(0.05, np.float32)})[0]
    np.testing.assert_allclose(w, STORED["sgd.w"][0], rtol=1e-5)


def test_statistics_are_state_of_the_first() -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("N", 2))
    ones, zeros = np.ones(2, np.float32), np.zeros(2, np.float32)
    scale, bias, mean, var = (
        b.parameter(n, a)
        for n, a in (("scale", ones), ("bias", zeros), ("mean", zeros), ("var", ones))
    )
    y, *_ = b.op.BatchNormalization(x, scale, bias, mean, var, training_mode=1, outputs=3)
    b.output(b.op.ReduceSum(y * y * y, keepdims=0), "loss")
    backward, update = og.split_step(b.build(), optimizer=og.optim.SGD(0.1))
    assert list(og.initial_state(backward)) == ["mean", "var"]
    assert list(og.initial_state(update)) == ["scale", "bias"]


def test_a_scaled_loss_has_its_scale_in_the_second() -> None:
    scaled = og.optim.scale_loss(ADAM, start=1024.0)
    backward, update = og.split_step(regression(), optimizer=scaled)
    first = og.initial_state(update)
    feeds = FEEDS | weights_of(backward)
    scale = {"optimizer.loss_scale": first["optimizer.loss_scale"]}
    plain = og.compile(og.split_step(regression(), optimizer=ADAM)[0]).run(feeds)
    results = og.compile(backward).run(feeds | scale)
    np.testing.assert_allclose(results["w.grad"], 1024 * plain["w.grad"], rtol=1e-12)
    second = og.compile(update).stepper()
    second.run(only_gradients(results))
    np.testing.assert_allclose(second.state()["w"], STORED["adam.w"][0], rtol=1e-9)


def test_an_input_may_be_trained() -> None:
    backward, update = og.split_step(regression(), optimizer=og.optim.SGD(0.1), parameters=["x"])
    assert [v.name for v in backward.inputs] == ["x", "t"]
    results = og.compile(backward).run(FEEDS)
    second = og.compile(update).stepper({"x": FEEDS["x"]})
    second.run(only_gradients(results))
    expected = FEEDS["x"] - 0.1 * results["x.grad"]
    np.testing.assert_allclose(second.state()["x"], expected, rtol=1e-12)


def test_half_precision_gives_gradients_in_float32() -> None:
    half: dict[str, Any] = {n: STORED[n].astype(np.float16) for n in "wc"}
    backward, update = og.split_step(regression(half["w"], half["c"]), optimizer=ADAM)
    assert backward.find("w.grad").dtype == update.find("w.grad").dtype == np.float32
    assert "w.master" in og.initial_state(update)
