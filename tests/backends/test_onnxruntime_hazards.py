"""What onnxruntime dies of, arrays without elements, runs on NumPy in its place."""

from typing import Any

import numpy as np
import pytest
from empty_axes import RUNNERS, Outcome, judge, settled, variants
from isolated import judge_all
from op_samples import SAMPLES

import onnxgrad as og
from onnxgrad.backends import onnxruntime_hazards


def test_convolution_without_output_channels() -> None:
    b = og.Builder("none")
    x, w = b.input("x", "float32", (2, 3, 5, 5)), b.input("w", "float32", (0, 3, 3, 3))
    b.output(b.op.Conv(x, w), "y")
    backward = og.vjp(b.build(), "y", ["x", "w"])
    shapes: dict[str, Any] = {v.name: v.shape for v in backward.inputs}
    feeds = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    for backend in ("numpy", "onnxruntime"):
        results = og.compile(backward, backend).run(feeds)
        np.testing.assert_array_equal(results["x.grad"], np.zeros((2, 3, 5, 5)))
        assert results["y"].shape == (2, 0, 3, 3) and results["w.grad"].shape == (0, 3, 3, 3)


def test_einsum_over_nothing() -> None:
    b = og.Builder("none")
    x, w = b.input("x", "float32", ("n", 2, 3)), b.input("w", "float32", ("n", 3, 4))
    b.output(b.op.Einsum(x, w, equation="nij,njk->nik"), "y")
    backward = og.vjp(b.build(), "y", ["x", "w"])
    shapes: dict[str, Any] = {v.name: v.shape for v in backward.inputs}
    feeds = {name: np.ones((0, *shape[1:]), np.float32) for name, shape in shapes.items()}
    results = og.compile(backward, "onnxruntime").run(feeds)
    assert {n: a.shape for n, a in results.items()} == {
        "y": (0, 2, 4),
        "x.grad": (0, 2, 3),
        "w.grad": (0, 3, 4),
    }


def recurrence(batch: int | str) -> og.Graph:
    b = og.Builder("recurrence")
    x, state = b.input("x", "float32", ("steps", batch, 2)), b.input("h", "float32", (1, batch, 3))
    w, r = (b.parameter(n, np.full((1, 9, k), 0.1, np.float32)) for n, k in (("w", 2), ("r", 3)))
    _, last = b.op.GRU(x, w, r, None, None, state, hidden_size=3, outputs=2)
    b.output(last, "h.new")
    return b.build()


@pytest.mark.parametrize("fed", [False, True], ids=["on the way", "fed"])
@pytest.mark.parametrize("written", [0, 1, -1])
def test_a_scan_along_columns_of_nothing(written: int, fed: bool) -> None:
    b = og.Builder("none")
    s, x = b.input("s", "float32", (3,)), b.input("x", "float32", (4, 5, "n"))
    columns = x if fed else x[:, :, 5:]
    body = b.subgraph(lambda s, e: (s + 1.0, e * e), s, ("float32", (4, "m")))
    axes = {"scan_input_axes": [1], "scan_output_axes": [written]}
    last, tape = b.op.Scan(s, columns, body=body, num_scan_inputs=1, **axes)
    b.output(last, "last")
    b.output(tape, "tape")
    feeds = {"s": np.ones(3, np.float32), "x": np.zeros((4, 5, 0 if fed else 2), np.float32)}
    results = og.compile(b.build(), "onnxruntime").run(feeds)
    np.testing.assert_array_equal(results["last"], [6, 6, 6])
    assert results["tape"].shape == {0: (5, 4, 0), 1: (4, 5, 0), -1: (4, 0, 5)}[written]


@pytest.mark.parametrize(("steps", "batch"), [(0, 2), (2, 0)])
def test_no_steps_and_no_examples(steps: int, batch: int) -> None:
    state = np.full((1, batch, 3), 0.5, np.float32)
    compiled = og.compile(recurrence("batch"), "onnxruntime")
    actual = compiled.run({"x": np.ones((steps, batch, 2), np.float32), "h": state})["h.new"]
    np.testing.assert_array_equal(actual, state)


def test_steps_over_nothing_keep_the_state() -> None:
    state = np.full((1, 2, 3), 0.5, np.float32)
    stepper = og.compile(recurrence(2), "onnxruntime").stepper({"h": state})
    stepper(x=np.zeros((0, 2, 2), np.float32))
    np.testing.assert_array_equal(stepper.state()["h"], state)
    stepper(x=np.ones((1, 2, 2), np.float32))
    moved = stepper.state()["h"]
    assert np.abs(moved - state).min() > 0
    stepper(x=np.zeros((0, 2, 2), np.float32))
    np.testing.assert_array_equal(stepper.state()["h"], moved)


def test_what_onnxruntime_refuses_without_elements_runs() -> None:
    b = og.Builder("mean")
    b.output(b.op.LayerNormalization(b.input("x", "float32", (2, "n")), np.ones(1, "f4")), "y")
    y = og.compile(b.build(), "onnxruntime").run({"x": np.zeros((2, 0), np.float32)})["y"]
    assert y.shape == (2, 0)


def test_arrays_with_elements_stay_with_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = og.compile(recurrence("batch"), "onnxruntime")
    monkeypatch.setattr(compiled._executable, "run_on_numpy", None)
    compiled.run({"x": np.ones((2, 1, 2), np.float32), "h": np.zeros((1, 1, 3), np.float32)})


def test_a_sequence_may_hold_an_array_without_elements() -> None:
    assert onnxruntime_hazards.has_no_elements([np.ones(2), np.ones((0, 3))])
    assert not onnxruntime_hazards.has_no_elements([np.ones(2)])
    assert not onnxruntime_hazards.has_no_elements(None)


def bounded() -> list[Any]:
    """Choose some variants of some operators, other ones than those above."""
    operators = ("Conv", "Einsum", "Gather", "LSTM", "MatMul", "ReduceMax", "Softmax", "Squeeze")
    first = {s.op: k for k, s in reversed(list(enumerate(SAMPLES)))}
    return [
        (first[name], axes) for name in operators for axes in variants(SAMPLES[first[name]])[:3]
    ]


def test_each_axis_empty_in_turn() -> None:
    """`make edges` does it for all operators."""
    outcomes: list[Outcome] = settled(judge_all(judge, bounded(), 30))
    ours = [o for o in outcomes if o.runner != "saved"]
    assert not [o for o in ours if o.verdict in ("wrong", "failed", "kills")]
    assert {(o.runner, o.order) for o in outcomes if o.verdict == "right"} == {
        (runner, order) for runner in RUNNERS for order in ("forward", "backward")
    }


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("shape", [(0,), (0, 2), (2, 0)])
def test_hessian_of_nothing_gathered(shape: tuple[int, ...], backend: str) -> None:
    b = og.Builder("none")
    x = b.input("x", "float32", (3, 2))
    y = b.op.Gather(x, b.input("i", "int64", shape))
    b.output(b.op.ReduceSum(y * y * y, keepdims=0), "loss")
    feeds = {"x": np.ones((3, 2), np.float32), "i": np.zeros(shape, np.int64)}
    results = og.compile(og.hessian(b.build(), "loss", "x"), backend).run(feeds)
    np.testing.assert_array_equal(results["loss.hessian.x.x"], np.zeros((3, 2, 3, 2)))


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_vmap_over_no_examples(backend: str) -> None:
    b = og.Builder("batch")
    x = b.input("x", "float32", (3, 4))
    y = b.op.Softmax(b.op.Gather(x, b.constant(np.array([0, 2]))) @ np.ones((4, 2), np.float32))
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    batched = og.vmap(og.grad(b.build(), "loss", "x"), ["x"])
    results = og.compile(batched, backend).run({"x": np.ones((0, 3, 4), np.float32)})
    assert {n: a.shape for n, a in results.items()} == {"loss": (0,), "x.grad": (0, 3, 4)}
