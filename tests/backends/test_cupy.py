"""The cupy backend on a stand-in for CuPy: cases that a GPU runs too, and what only it does."""

import operator
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from fake_cupy import FakeArray, MixedDevices, make_fake_cupy
from gpu_cases import check_all

import onnxgrad as og
from onnxgrad.backends.cupy import CupyBackend, HostFallbackWarning


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put the stand-in where CuPy would be."""
    module = make_fake_cupy()
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


def graph() -> og.Graph:
    b = og.Builder("g")
    x = b.input("x", "float32", ("N", 4))
    w = b.parameter("w", np.linspace(-1, 1, 12, dtype="f4").reshape(4, 3))
    b.output(b.op.Reshape(b.op.Tanh(x @ w), np.array([-1])), "y")
    return b.build()


REASONS_FOR_THE_HOST = (
    "no kernel applies",
    "CuPy lacks a dtype",
    "`cupy_multiply.at` is not supported yet",
    "CuPy's extremes at indices are of float32 and pass over NaN",
)


@pytest.mark.parametrize("kind", ["kernel", "gradient", "model"])
@pytest.mark.usefixtures("cupy")
def test_it_does_as_numpy_does(kind: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")  # ONNX's models overflow on purpose
        warnings.simplefilter("always", HostFallbackWarning)
        check_all(kind, few=True)
    said = {str(w.message) for w in caught}
    assert not {text for text in said if not text.endswith(REASONS_FOR_THE_HOST)}


def test_arrays_go_there_and_come_back(cupy: Any) -> None:
    compiled = og.compile(graph(), "cupy")
    x = np.ones((2, 4), np.float32)
    assert type(compiled(x=x)["y"]) is np.ndarray
    stays = compiled(x=cupy.asarray(x))["y"]
    assert type(stays) is FakeArray
    np.testing.assert_array_equal(stays.get(), compiled(x=x)["y"])


@pytest.mark.usefixtures("cupy")
def test_no_fallback_where_there_are_kernels() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        og.compile(og.vjp(graph(), "y", "w"), "cupy").run(
            {"x": np.ones((2, 4), "f4"), "y.grad": np.ones(6, "f4")}
        )


@pytest.mark.usefixtures("cupy")
def test_what_the_gpu_lacks_runs_on_the_host_with_a_warning() -> None:
    b = og.Builder("g")
    x = b.input("x", "float32", (3, 1))
    b.output(b.op.ReverseSequence(x, np.array([2]), name="turn"), "y")
    with pytest.warns(HostFallbackWarning, match="ReverseSequence 'turn' runs on the host: no ker"):
        compiled = og.compile(b.build(), "cupy")
    assert compiled(x=np.array([[2], [1], [3]], "f4"))["y"].tolist() == [[1], [2], [3]]
    b = og.Builder("g")
    b.output(b.op.StringConcat(b.input("s", "string", (1,)), np.array(["!"], object)), "t")
    with pytest.warns(HostFallbackWarning):
        compiled = og.compile(b.build(), "cupy")
    assert compiled(s=np.array(["a"], object))["t"].tolist() == ["a!"]
    b = og.Builder("g")
    data = b.input("x", "float32", (2, 1))
    index = b.constant(np.array([[0]]))
    b.output(b.op.ScatterND(data, index, np.full((1, 1), 5, "f4"), reduction="mul"), "y")
    compiled = og.compile(b.build(), "cupy")
    with pytest.warns(HostFallbackWarning, match="ScatterND 'y' runs on the host"):
        np.testing.assert_array_equal(compiled(x=np.ones((2, 1), "f4"))["y"], [[5], [1]])


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize("op_type", ["Gather", "GatherElements", "ScatterElements"])
def test_an_index_out_of_range_is_told(op_type: str) -> None:
    b = og.Builder("g")
    x, i = b.input("x", "float32", (3,)), b.input("i", "int64", (2,))
    inputs = [x, i, np.ones(2, "f4")] if op_type == "ScatterElements" else [x, i]
    b.output(getattr(b.op, op_type)(*inputs, name="pick"), "y")
    run = og.compile(b.build(), "cupy")
    said = f"while running {op_type} 'pick': an index is out of range of 3"
    for wrong in ([0, 3], [-4, 0]):
        with pytest.raises(og.GraphError, match=said):
            run(x=np.zeros(3, "f4"), i=np.array(wrong))
    assert run(x=np.zeros(3, "f4"), i=np.array([2, -3]))["y"].dtype == np.float32


@pytest.mark.usefixtures("cupy")
def test_a_label_that_is_no_class_is_told() -> None:
    b = og.Builder("g")
    scores, labels = b.input("scores", "float32", (2, 3)), b.input("labels", "int64", (2,))
    loss = b.op.SoftmaxCrossEntropyLoss(scores, labels, ignore_index=-1)
    b.output(loss, "loss")
    run = og.compile(og.vjp(b.build(), "loss", "scores"), "cupy").run
    feeds = {"scores": np.zeros((2, 3), "f4"), "loss.grad": np.float32(1)}
    with pytest.raises(og.GraphError, match="SoftmaxCrossEntropyLoss.*out of range of 3"):
        run(feeds | {"labels": np.array([1, 3])})
    assert run(feeds | {"labels": np.array([1, -1])})["scores.grad"][1].tolist() == [0, 0, 0]


@pytest.mark.usefixtures("cupy")
def test_steps_stay_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    b = og.Builder("steps")
    w = b.input("w", "float32", (3,))
    b.output(b.op.ReduceSum(w), "total")
    b.output(w * b.input("x", "float32", ()), "w.new")
    step = og.compile(b.build(), "cupy").stepper({"w": np.ones(3, "f4")})
    copies: Counter[str] = Counter()
    get = FakeArray.get
    monkeypatch.setattr(FakeArray, "get", lambda a: copies.update([str(a.shape)]) or get(a))
    totals = [step(x=np.float32(2))["total"].item() for _ in range(3)]
    assert totals == [3, 6, 12] and copies == {"(1,)": 3}
    assert step.state()["w"].tolist() == [8, 8, 8] and type(step.state()["w"]) is np.ndarray


def test_why_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = CupyBackend()
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert "onnxgrad[cuda12]" in str(backend.why_unavailable())
    with pytest.raises(og.BackendUnavailableError, match=r"onnxgrad\[cuda13\]"):
        og.compile(graph(), "cupy")
    monkeypatch.setitem(sys.modules, "cupy", make_fake_cupy(devices=0))
    assert backend.why_unavailable() == "there is no CUDA device"

    def broken() -> int:
        raise RuntimeError("driver too old")

    module: Any = make_fake_cupy()
    module.cuda.runtime.getDeviceCount = broken
    monkeypatch.setitem(sys.modules, "cupy", module)
    assert backend.why_unavailable() == "CuPy finds no CUDA device: driver too old"


def test_the_stand_in_is_as_strict_as_cupy(cupy: Any) -> None:
    x = cupy.asarray(np.ones(3))

    def in_place() -> None:
        y = x
        y += np.ones(3)

    mixed: Sequence[Callable[[], Any]] = (
        lambda: cupy.add(x, np.ones(3)),
        lambda: x + np.ones(3),
        lambda: np.ones(3) + x,
        lambda: np.float64(2) * x + np.array(1.0),
        in_place,
        lambda: operator.setitem(x, 0, np.array(1.0)),
        lambda: cupy.concatenate([x, np.ones(3)]),
        lambda: cupy.where(np.array(True), x, 0),
    )
    for call in mixed:
        with pytest.raises(MixedDevices):
            call()
    for call in (lambda: np.asarray(x), lambda: cupy.asarray([1.0, x[0]]), lambda: [0][x[0]]):
        with pytest.raises(TypeError):
            call()
    refused: Sequence[tuple[Callable[[], Any], str]] = (
        (lambda: cupy.max(x, initial=0), "initial"),
        (lambda: cupy.add(x, 1, where=x > 0), "where"),
        (lambda: x.sum(where=x > 0), "where"),
        (lambda: cupy.argsort(x, kind="quicksort"), "kind"),
        (lambda: cupy.maximum.reduce(x), "maximum.reduce"),
        (lambda: cupy.multiply.at(x, cupy.asarray([0]), x[:1]), "multiply.at"),
        (lambda: cupy.maximum.at(x, cupy.asarray([0]), x[:1]), "maximum.at"),
        (lambda: cupy.nonzero(cupy.asarray(1)), "0d"),
        (lambda: cupy.asarray(np.array(["a"], object)), "dtype object"),
    )
    for call, said in refused:
        with pytest.raises((TypeError, ValueError, NotImplementedError), match=said):
            call()
    for name in ("busday_count", "errstate", "bmat"):
        with pytest.raises(AttributeError):
            getattr(cupy, name)
    with pytest.raises(AttributeError):
        x.setflags(write=False)


def test_the_stand_in_differs_from_numpy_where_cupy_does(cupy: Any) -> None:
    x = cupy.asarray(np.arange(3.0))
    assert type(cupy.sum(x)) is FakeArray and type(x[0]) is FakeArray
    assert x[cupy.asarray([4])].get() == [1] and cupy.take(x, cupy.asarray([-4])).get() == [2]
    x[cupy.asarray([1, 1])] = cupy.asarray([5.0, 6.0])
    assert x[1].item() == 5
    assert x[1:].base is x and x[1:].T.base is x and (x + 1).base is None
