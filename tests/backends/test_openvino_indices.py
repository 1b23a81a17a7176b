"""An index that is out of range is refused on OpenVINO, which gave 0 for it, or ended."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.openvino_indices import look_at_indices

pytest.importorskip("openvino")

Build = Callable[[og.Builder, og.Tensor, Any], Any]

X = np.arange(6, dtype=np.float32).reshape(2, 3)

CALLS: dict[str, tuple[Build, np.ndarray]] = {
    "Gather": (lambda b, x, i: b.op.Gather(x, i, axis=1), np.array([0, -3, 2])),
    "Gather of int32": (lambda b, x, i: b.op.Gather(x, i, axis=-1), np.array([[2, -1]], np.int32)),
    "Gather of one": (lambda b, x, i: b.op.Gather(x, i, axis=1), np.array(-2)),
    "GatherND": (lambda b, x, i: b.op.GatherND(x, i), np.array([[1, 2], [-1, -3]])),
    "GatherND by examples": (
        lambda b, x, i: b.op.GatherND(x, i, batch_dims=1),
        np.array([[[2], [-1]], [[0], [1]]]),
    ),
    "ScatterElements": (
        lambda b, x, i: b.op.ScatterElements(x, i, b.op.Expand(7.0, b.op.Shape(i)), axis=1),
        np.array([[0, -1], [2, 1]]),
    ),
    "ScatterND": (
        lambda b, x, i: b.op.ScatterND(x, i, b.constant(np.array([7, 8], np.float32))),
        np.array([[1, 2], [-1, -3]]),
    ),
}


def graph_of(call: str, sizes: tuple[Any, ...]) -> og.Graph:
    build, indices = CALLS[call]
    b = og.Builder("indexed")
    x, i = b.input("x", "float32", sizes), b.input("i", indices.dtype, indices.shape)
    b.output(build(b, x, i), "y")
    return b.build()


@pytest.mark.parametrize("call", CALLS)
def test_indices_that_fit_give_what_they_gave(call: str) -> None:
    feeds = {"x": X, "i": CALLS[call][1]}
    for sizes in (("N", 3), ("N", "M")):
        graph = graph_of(call, sizes)
        y = og.compile(graph).run(feeds)["y"]
        seeds = feeds | {"y.grad": 1 + np.arange(y.size, dtype=y.dtype).reshape(y.shape)}
        backward = og.vjp(graph, "y", ["x"])
        wanted, found = (og.compile(backward, name).run(seeds) for name in ("numpy", "openvino"))
        for name in wanted:
            np.testing.assert_array_equal(found[name], wanted[name])


@pytest.mark.parametrize("index", [3, 99, -4, -99])
@pytest.mark.parametrize("call", CALLS)
def test_an_index_out_of_range_is_refused(call: str, index: int) -> None:
    indices = CALLS[call][1].copy()
    indices.reshape(-1)[-1] = index
    for sizes in (("N", 3), ("N", "M")):
        with pytest.raises(og.GraphError, match="'?y"):
            og.compile(graph_of(call, sizes), "openvino").run({"x": X, "i": indices})


@pytest.mark.parametrize(("indices", "looked_at"), [([0, -3], False), ([0, 3], True)])
def test_known_indices_that_fit_are_not_looked_at(indices: list[int], looked_at: bool) -> None:
    b = og.Builder("known")
    b.output(b.op.Gather(b.input("x", "float32", (2, 3)), b.constant(indices), axis=1), "y")
    graph = b.build()
    look_at_indices(graph)
    assert any(n.op_type == "GatherElements" for n in graph.nodes()) == looked_at


NOTHING: dict[str, Callable[[Any, og.Tensor], Any]] = {
    "Compress": lambda op, x: op.Compress(x, np.array([False]), axis=0),
    "Expand": lambda op, x: op.Expand(x, np.array([4, 1, 0])),
    "Gather": lambda op, x: op.Gather(x, np.zeros(0, np.int64), axis=0),
}


@pytest.mark.parametrize("call", NOTHING)
def test_what_is_known_to_be_nothing_is_refused(call: str) -> None:
    """It ended the process while compiling, or was another shape."""
    b = og.Builder("nothing")
    b.output(NOTHING[call](b.op, b.input("x", "float32", (4, 1))), "y")
    with pytest.raises(og.UnsupportedOpError, match="'y'"):
        og.compile(b.build(), "openvino")


def test_indices_of_unknown_width_cannot_be_looked_at() -> None:
    b = og.Builder("wide")
    x, i = b.input("x", "float32", (2, 3)), b.input("i", "int64", (1, "K"))
    b.output(b.op.ScatterND(x, i, b.input("u", "float32", (1, 3))), "y")
    with pytest.raises(og.UnsupportedOpError, match="ScatterND 'y'"):
        og.compile(b.build(), "openvino")


@pytest.mark.parametrize(
    ("domain", "place"), [("", 5), ("com.microsoft", 5), ("com.microsoft", -1)]
)
def test_a_position_without_angles_is_refused(domain: str, place: int) -> None:
    """It gave 0 for them."""
    x, angles = np.ones((1, 2, 3, 4), np.float32), np.ones((5, 2), np.float32)
    b = og.Builder("rotary")
    places = b.input("places", "int64", (1, 3))
    given = (places, angles, angles) if domain else (angles, angles, places)
    b.output(b.op.RotaryEmbedding(b.input("x", "float32", x.shape), *given, domain=domain), "y")
    run = og.compile(b.build(), "openvino").run
    right = run({"x": x, "places": np.array([[0, 4, 1]])})["y"]
    np.testing.assert_allclose(right[..., :2], 0, atol=1e-6)  # cos − sin
    np.testing.assert_allclose(right[..., 2:], 2, rtol=1e-6)
    with pytest.raises(og.GraphError, match="y"):
        run({"x": x, "places": np.array([[0, place, 1]])})


@pytest.mark.parametrize("image", [-3, -1, 2])
@pytest.mark.parametrize("known", [False, True])
def test_a_region_of_no_image_is_refused(known: bool, image: int) -> None:
    b = og.Builder("regions")
    feeds: dict[str, Any] = {"x": np.ones((2, 1, 4, 4), np.float32)}
    x, i = b.input("x", "float32", (2, 1, 4, 4)), b.constant(np.array([image]))
    if not known:
        feeds["i"] = np.array([image])
        i = b.input("i", "int64", (1,))
    b.output(b.op.RoiAlign(x, np.array([[0, 0, 2, 2]], np.float32), i), "y")
    with pytest.raises(og.OnnxgradError, match="y"):
        og.compile(b.build(), "openvino").run(feeds)
