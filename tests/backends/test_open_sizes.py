"""Sizes that only run time tells: what does not fit is refused on every backend, by node."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.open_sizes import OpenSizes

Build = Callable[[og.Builder], Any]

BACKENDS = ("numpy", "onnxruntime", "openvino")


def graph_of(build: Build) -> og.Graph:
    b = og.Builder("open")
    b.output(build(b), "y")
    return b.build()


def loss(b: og.Builder) -> Any:
    return b.op.SoftmaxCrossEntropyLoss(
        b.input("x", "float32", ("N", 3)), b.input("label", "int64", ("M",))
    )


LABELS = {"x": np.ones((5, 3), np.float32), "label": np.zeros(4, np.int64)}

CALLS: dict[str, tuple[Build, dict[str, Any], str]] = {
    "fewer labels than rows": (loss, LABELS, "the labels must have the shape (5,)"),
    "fewer examples than indices": (
        lambda b: b.op.GatherND(
            b.input("x", "float32", ("N", 3)), b.input("at", "int64", ("M", 1)), batch_dims=1
        ),
        {"x": np.ones((1, 3), np.float32), "at": np.zeros((2, 1), np.int64)},
        "must share their first 1 size",
    ),
    "a slope that stretches": (
        lambda b: b.op.PRelu(b.input("x", "float32", ("N", "C")), np.ones(4, np.float32)),
        {"x": np.ones((3, 1), np.float32)},
        "must broadcast to that of x",
    ),
    "a diagonal of no square": (
        lambda b: b.op.Einsum(b.input("x", "float32", ("N", "M")), equation="ii->i"),
        {"x": np.ones((1, 3), np.float32)},
        "its index i has the sizes 1 and 3 in 'ii'",
    ),
    "a window larger than the image": (
        lambda b: b.op.MaxPool(b.input("x", "float32", (1, 1, "H")), kernel_shape=[3]),
        {"x": np.ones((1, 1, 1), np.float32)},
        "larger by 2 than axis 2",
    ),
    "an operator that is run by its body": (
        lambda b: b.op.Attention(
            b.input("q", "float32", ("N", 2, 3, 4)), *[b.input("k", "float32", ("M", 2, 5, 4))] * 2
        ),
        {"q": np.ones((2, 2, 3, 4), np.float32), "k": np.ones((1, 2, 5, 4), np.float32)},
        "Q holds 2 examples, K holds 1",
    ),
    "a number of such an operator": (
        lambda b: b.op.STFT(
            b.input("x", "float32", (1, 9, 1)), b.input("step", "int64", ()), None, 4
        ),
        {"x": np.ones((1, 9, 1), np.float32), "step": np.array(-1)},
        "frame_step must be 1 or more, not -1",
    ),
    "sizes without a name on the way": (
        lambda b: b.op.Compress(
            b.op.Reshape(b.input("x", "float32", ("N", "M")), [-1]), b.input("on", "bool", ("K",))
        ),
        {"x": np.ones((2, 3), np.float32), "on": np.ones(7, bool)},
        "7 conditions for 6 elements",
    ),
    "columns of regions": (
        lambda b: b.op.RoiAlign(
            b.input("x", "float32", (1, 1, 4, 4)), b.input("rois", "float32", ("N", "K")), [0]
        ),
        {"x": np.ones((1, 1, 4, 4), np.float32), "rois": np.ones((1, 5), np.float32)},
        "rois must have the shape (regions, 4)",
    ),
}


NOT_IN_OPENVINO = {
    "a number of such an operator",
    "sizes without a name on the way",
    "columns of regions",
}
"""Calls that it does not compile."""


def compiled(graph: og.Graph, backend: str) -> Any:
    if backend == "openvino":
        pytest.importorskip("openvino")
    return og.compile(graph, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("call", CALLS)
def test_what_does_not_fit_is_refused_by_node(call: str, backend: str) -> None:
    build, feeds, reason = CALLS[call]
    if backend == "openvino" and call in NOT_IN_OPENVINO:
        with pytest.raises(og.UnsupportedOpError):
            compiled(graph_of(build), backend)
        return
    run = compiled(graph_of(build), backend).run
    for _ in range(2):  # nothing is remembered of what was refused
        with pytest.raises(og.GraphError) as refused:
            run(feeds)
        assert reason in str(refused.value) and " 'y'" in str(refused.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_steps_refuse_labels_that_do_not_fit(backend: str) -> None:
    b = og.Builder("net")
    x, label = b.input("x", "float32", ("N", 2)), b.input("label", "int64", ("M",))
    w = b.parameter("w", np.ones((2, 3), np.float32))
    b.output(b.op.SoftmaxCrossEntropyLoss(x @ w, label), "loss")
    stepper = compiled(og.train_step(b.build(), "loss", og.optim.SGD(0.1)), backend).stepper()
    rows, labels = np.ones((4, 2), np.float32), np.array([0, 1, 2, 0])
    first = stepper(x=rows, label=labels)["loss"]
    for _ in range(2):
        with pytest.raises(og.GraphError, match=r"the labels must have the shape \(4,\)"):
            stepper(x=rows, label=labels[:3])
    assert stepper(x=rows, label=labels)["loss"] < first


@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_that_are_fed_are_checked_at_each_step(backend: str) -> None:
    b = og.Builder("top")
    x, k = b.input("x", "float32", (5,)), b.input("k", "int64", (1,))
    total = b.input("total", "float32", ())
    largest, _ = b.op.TopK(x, k)
    b.output(b.op.Add(total, b.op.ReduceSum(largest, keepdims=0)), "total.new")
    step = compiled(b.build(), backend).stepper({"total": np.float32(0)})
    x0 = np.arange(5, dtype=np.float32)
    for count, wanted in ((1, 4.0), (2, 11.0)):
        step(x=x0, k=np.array([count]))
        assert step.state()["total"] == wanted
    with pytest.raises(og.GraphError, match="K must be from 0 to 5, not 6"):
        step(x=x0, k=np.array([6]))


def test_a_call_that_fits_for_all_sizes_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    b = og.Builder("closed")
    x, label = b.input("x", "float32", ("N", 3)), b.input("label", "int64", ("N",))
    y = b.op.PRelu(x, np.ones(3, np.float32))
    b.output(b.op.SoftmaxCrossEntropyLoss(b.op.Concat(y, x, axis=1), label), "y")
    monkeypatch.setattr(OpenSizes, "_tell", None)
    feeds = {"x": np.ones((2, 3), np.float32), "label": np.zeros(2, np.int64)}
    graph = og.vjp(b.build(), "y", ["x"])
    assert og.compile(graph, "onnxruntime").run(feeds | {"y.grad": np.float32(1)})["y"] > 1


def test_what_fits_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = og.compile(graph_of(loss), "onnxruntime").run
    feeds = LABELS | {"label": np.zeros(5, np.int64)}
    first = run(feeds)["y"]
    monkeypatch.setattr(OpenSizes, "_tell", None)
    assert run(feeds)["y"] == first
