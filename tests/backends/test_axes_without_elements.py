"""Axes of size 0: what nothing is asked of gives nothing, and what nothing can give is refused."""

import itertools
from typing import Any

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

import onnxgrad as og

BACKENDS = ["numpy", "onnxruntime"]


def compiled(op: str, *arrays: np.ndarray | None, backend: str, **attributes: Any) -> np.ndarray:
    """Run one call whose inputs are fed, with their sizes in the graph."""
    b = og.Builder("call")
    feeds = {f"x{k}": a for k, a in enumerate(arrays) if a is not None}
    given = [
        None if a is None else b.input(f"x{k}", a.dtype, a.shape) for k, a in enumerate(arrays)
    ]
    b.output(getattr(b.op, op)(*given, **attributes), "y")
    y: np.ndarray = og.compile(b.build(), backend).run(feeds)["y"]
    return y


def padded(x: np.ndarray, pads: list[int]) -> np.ndarray:
    """Give y[i] = x[i − begin], 0 where that is none, element by element."""
    begins, ends = pads[: x.ndim], pads[x.ndim :]
    y = np.zeros([n + b + e for n, b, e in zip(x.shape, begins, ends, strict=True)], x.dtype)
    for at in itertools.product(*map(range, y.shape)):
        place = tuple(i - b for i, b in zip(at, begins, strict=True))
        if all(0 <= p < n for p, n in zip(place, x.shape, strict=True)):
            y[at] = x[place]
    return y


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("shape", "pads"),
    [
        ((2, 0), [2, -1, 0, 1]),
        ((0,), [-1, 3]),
        ((1,), [-3, 4]),
        ((2,), [4, -3]),
        ((3, 2), [-4, -2, 2, 2]),
        ((3, 0), [1, 2, -4, 0]),
    ],
)
def test_more_is_cropped_than_there_is(shape: Any, pads: list[int], backend: str) -> None:
    x = np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)
    y = compiled("Pad", x, np.array(pads), backend=backend)
    np.testing.assert_array_equal(y, padded(x, pads))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap"])
def test_nothing_is_repeated(mode: str, backend: str) -> None:
    x = np.zeros((0, 2), np.float32)
    y = compiled("Pad", x, np.array([-1, 1, 1, 0]), backend=backend, mode=mode)
    assert y.shape == (0, 3)
    with pytest.raises(og.GraphError):
        compiled("Pad", x, np.array([1, 0, 0, 0]), backend=backend, mode=mode)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_largest_of_nothing_for_nobody(backend: str) -> None:
    x = np.zeros((0, 3, 4, 0), np.float32)
    assert compiled("GlobalMaxPool", x, backend=backend).shape == (0, 3, 1, 1)
    for op in ("ArgMax", "ArgMin"):
        for kept, shape in ((1, (0, 3, 4, 1)), (0, (0, 3, 4))):
            assert compiled(op, x, backend=backend, axis=3, keepdims=kept).shape == shape
    with pytest.raises(og.GraphError, match="has no largest element"):
        compiled("GlobalMaxPool", np.zeros((2, 3, 0), np.float32), backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_elements_limit_no_aspect_ratio(backend: str) -> None:
    """not_larger is the smallest of the scales: 8/5, by which no rows stay none."""
    x, sizes = np.zeros((1, 2, 0, 5), np.float32), np.array([7, 8])
    given: dict[str, Any] = {"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}
    y = compiled("Resize", x, None, None, sizes, backend=backend, **given)
    assert y.shape == (1, 2, 0, 8)


WINDOWS: list[tuple[str, dict[str, Any]]] = [
    (op, {"strides": [3], "auto_pad": mode, **more})
    for op, more in [
        ("Conv", {}),
        ("MaxPool", {"kernel_shape": [4]}),
        ("AveragePool", {"kernel_shape": [3]}),
        ("LpPool", {"kernel_shape": [5]}),
    ]
    for mode in ("SAME_UPPER", "SAME_LOWER")
]
WINDOWS += [
    ("MaxPool", {"kernel_shape": [1], "strides": [3]}),  # floor((0 − 1)/3 + 1)
    ("MaxPool", {"kernel_shape": [3], "strides": [2], "ceil_mode": 1, "pads": [1, 0]}),
    ("AveragePool", {"kernel_shape": [3], "strides": [2], "ceil_mode": 1, "pads": [1, 0]}),
]


@pytest.mark.parametrize(("op", "attributes"), WINDOWS)
def test_no_window_lies_in_nothing(op: str, attributes: dict[str, Any]) -> None:
    """ceil(0/3) = 0: in the type, when it runs, and in the file as onnx.reference reads it."""
    b = og.Builder("windows")
    x, w = np.zeros((1, 1, 0)), np.ones((1, 1, 2))
    given = [b.input("x", "float64", x.shape)]
    b.output(getattr(b.op, op)(*given, *[w] * (op == "Conv"), **attributes), "y")
    graph = b.build()
    assert graph.find("y").shape == (1, 1, 0)
    assert og.compile(graph)(x=x)["y"].shape == (1, 1, 0)
    read: Any = ReferenceEvaluator(og.to_onnx(graph)).run(None, {"x": x})
    assert read[0].shape == (1, 1, 0)


def test_indices_of_no_windows_have_the_shape_of_the_largest() -> None:
    b = og.Builder("windows")
    x = b.input("x", "float32", (1, 2, 0))
    for name, y in zip(
        "yi", b.op.MaxPool(x, kernel_shape=[1], strides=[3], outputs=2), strict=True
    ):
        b.output(y, name)
    graph = b.build()
    results = og.compile(graph)(x=np.zeros((1, 2, 0), np.float32))
    assert (
        [v.shape for v in graph.outputs] == [a.shape for a in results.values()] == [(1, 2, 0)] * 2
    )


def test_what_onnxruntime_cannot_load_without_elements_runs() -> None:
    """It divides by a size of 0, which it knows, while it opens the gradient."""
    b = og.Builder("positions")
    x = b.input("x", "float32", (2, 2, 4, 0))
    where = {"kernel_shape": [2, 2], "strides": [1, 2], "storage_order": 1}
    y, _ = b.op.MaxPool(x, outputs=2, **where)
    b.output(y, "y")
    backward = og.vjp(b.build(), "y", "x")
    feeds = {v.name: np.zeros(tuple(map(int, v.shape or ())), v.dtype) for v in backward.inputs}
    assert og.compile(backward, "onnxruntime").run(feeds)["x.grad"].shape == (2, 2, 4, 0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("rows", "width"), [(0, 1), (3, 2)])
def test_indices_point_into_nothing(rows: int, width: int, backend: str) -> None:
    """onnxruntime would read beside what is there."""
    b = og.Builder("gather")
    x, i = b.input("x", "float32", ("n", "m")), b.input("i", "int64", ("k", width))
    b.output(b.op.GatherND(x, i), "y")
    run = og.compile(b.build(), backend)
    none = np.zeros((rows, 0), np.float32)
    assert run(x=none, i=np.zeros((0, width), np.int64))["y"].shape[0] == 0
    with pytest.raises(og.GraphError, match="without elements"):
        run(x=none, i=np.zeros((3, width), np.int64))


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_index_is_out_of_range_where_nothing_moves(backend: str) -> None:
    b = og.Builder("gather")
    x, i = b.input("x", "float32", (3, 0)), b.input("i", "int64", (2, 1))
    b.output(b.op.GatherND(x, i), "y")
    run = og.compile(b.build(), backend)
    none = np.zeros((3, 0), np.float32)
    assert run(x=none, i=np.array([[2], [-3]]))["y"].shape == (2, 0)
    with pytest.raises(og.GraphError, match="index 3 of 3"):
        run(x=none, i=np.array([[0], [3]]))
