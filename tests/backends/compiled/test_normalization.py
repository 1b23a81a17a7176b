"""BatchNormalization in training mode on the backend numba, against onnxruntime in float64."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from prepared_samples import sizes

import onnxgrad as og
from onnxgrad.backends.kernels import threads
from onnxgrad.backends.kernels.registry import KERNELS

SHAPES = [(3, 4, 1), (2, 3, 5), (3, 4, 3, 2), (2, 5, 4, 4), (1, 3, 7, 1), (2, 3, 2, 3, 3)]
"""Of one row, of odd and even numbers of them, and of multiples of four."""

Shape = tuple[int, ...]
Feeds = dict[str, np.ndarray]


def normalization(shape: Shape, dtype: str, **attributes: Any) -> og.Graph:
    """Build it with its gradient; it gives the statistics `mean.new` and `variance.new`."""
    b = og.Builder()
    x, *given = (
        b.input(name, dtype, shape if name == "x" else shape[1:2])
        for name in ("x", "scale", "bias", "mean", "variance")
    )
    attributes = {"training_mode": 1, "outputs": 3, "epsilon": 0.125} | attributes
    outputs = b.op.BatchNormalization(x, *given, **attributes)
    for name, value in zip(("y", "mean.new", "variance.new"), outputs, strict=True):
        b.output(value, name)
    return og.vjp(b.build(), "y", ["x", "scale", "bias"])


def draw(graph: og.Graph, last: bool = True) -> Feeds:
    """Draw what a graph is fed: channels of images side by side, the numbers of vectors apart."""
    rng = np.random.default_rng(0)
    drawn = {v.name: rng.normal(1, 1, (*sizes(v.type), 2)) for v in graph.inputs}
    feeds = {name: array.astype("float32")[..., 0] for name, array in drawn.items()}
    for name in ("x", "y.grad"):
        if last:
            feeds[name] = np.moveaxis(np.moveaxis(feeds[name], 1, -1).copy(), -1, 1)
    return feeds


def shut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let NumPy's kernels fail."""

    def fail(*arguments: Any, **attributes: Any) -> Any:
        raise AssertionError("NumPy's kernel runs")

    for key in [("", "BatchNormalization"), ("onnxgrad", "BatchNormalizationGrad")]:
        monkeypatch.setitem(KERNELS, key, replace(KERNELS[key], function=fail))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("dtype", "within"), [("float32", 1e-6), ("float64", 1e-14)])
def test_results_are_onnxruntimes(
    shape: Shape, dtype: str, within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, exact = normalization(shape, dtype), normalization(shape, "float64")
    feeds = draw(graph)
    wide = {name: array.astype("float64") for name, array in feeds.items()}
    wanted = og.compile(exact, "onnxruntime").run(wide)
    shut(monkeypatch)
    found = og.compile(graph, "numba").run({k: a.astype(dtype) for k, a in feeds.items()})
    for name, expected in wanted.items():
        assert found[name].dtype == dtype and found[name].shape == expected.shape
        assert np.abs(found[name] - expected).max() <= within * max(np.abs(expected).max(), 1), name


@pytest.mark.parametrize(
    ("shape", "dtype", "last"),
    [
        ((2, 3, 4, 5), "float32", False),
        ((4, 3), "float32", True),
        ((2, 3, 4), "float16", True),
        ((0, 3, 4), "float32", True),
        ((2, 3, 0), "float32", True),
    ],
)
def test_what_is_left_to_numpy(shape: Shape, dtype: str, last: bool) -> None:
    graph = normalization(shape, dtype)
    feeds = {name: array.astype(dtype) for name, array in draw(graph, last).items()}
    wanted = og.compile(graph).run(feeds)
    for name, array in og.compile(graph, "numba").run(feeds).items():
        np.testing.assert_array_equal(array, wanted[name])


def test_only_what_arrives_in_another_layout_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = normalization((2, 3, 4, 5), "float64")
    feeds = {name: array.astype("float64") for name, array in draw(graph).items()}
    shut(monkeypatch)
    run = og.compile(graph, "numba").run
    wanted = run(feeds)
    found = run({**feeds, "y.grad": feeds["y.grad"].copy()})
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def test_sums_do_not_round_far() -> None:
    graph = normalization((64, 3, 32, 32), "float32", momentum=0.0)
    feeds = draw(graph)
    found, wide = og.compile(graph, "numba").run(feeds), feeds["x"].astype("float64")
    np.testing.assert_allclose(found["mean.new"], wide.mean((0, 2, 3)), rtol=2e-7)
    np.testing.assert_allclose(found["variance.new"], wide.var((0, 2, 3)), rtol=2e-7)
    total = feeds["y.grad"].astype("float64").sum((0, 2, 3))
    np.testing.assert_allclose(found["bias.grad"], total, rtol=2e-7)


def test_several_cores_give_the_bits_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = normalization((5, 3, 2, 3), "float32")
    feeds = draw(graph)
    wanted = og.compile(graph, "numba").run(feeds)
    monkeypatch.setattr(threads, "PART_BYTES", 16)
    monkeypatch.setattr(threads, "core_count", lambda: 3)
    threads._pool.cache_clear()
    found = og.compile(graph, "numba").run(feeds)
    threads._pool.cache_clear()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_pixel_has_no_gradient(dtype: str) -> None:
    """It is its own mean, so that nothing hangs on it."""
    graph = normalization((1, 8, 1, 1), dtype, epsilon=1e-5)
    feeds = {name: array.astype(dtype) for name, array in draw(graph).items()}
    found = og.compile(graph, "numba").run(feeds)
    np.testing.assert_array_equal(found["x.grad"], 0)
