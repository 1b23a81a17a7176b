"""Gradients of Resize by its scales, which are always float32, at a fixed size of the output.

The first derivative is compared with differences of onnx.reference, which computes with scales of
float64 too, the second with differences of the first in float64.
"""

from functools import partial
from typing import Any

import numpy as np
import pytest
from finite_differences import along_directions, finite_differences
from onnx import helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops.op_resize import Resize
from resize_calls import PLACES

import onnxgrad as og
from onnxgrad.compiler.passes.precision import with_dtype

Arrays = dict[str, np.ndarray]

UP, DOWN = (1.04, 1.21, 1.36, 2.13), (1.03, 1.16, 0.68, 0.45)
FILTERS: list[dict[str, Any]] = [
    {"mode": "linear", "exclude_outside": 1},
    {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5},
    {"mode": "linear", "antialias": 1},
    {"mode": "cubic", "antialias": 1, "exclude_outside": 1},
]
CASES: list[tuple[dict[str, Any], tuple[float, ...]]] = [
    *(
        ({"mode": mode, "coordinate_transformation_mode": place}, scales)
        for place in PLACES
        for mode, scales in (("linear", DOWN), ("cubic", UP))
    ),
    *((settings, DOWN) for settings in FILTERS),
    ({**FILTERS[-1], "coordinate_transformation_mode": "tf_crop_and_resize"}, DOWN),
    (FILTERS[-2], UP),
    ({"mode": "linear", "axes": [3, 1]}, (0.45, 1.36)),
]


def label(case: Any) -> str:
    return ",".join(map(str, case.values() if isinstance(case, dict) else case))


every_case = pytest.mark.parametrize("attributes, scales", CASES, ids=label)


class PreciseResize(Resize):
    """The reference, with the cubic coefficient in float64, as its other numbers."""

    op_domain = ""

    def _run(self, *inputs: Any, **attributes: Any) -> Any:
        run: Any = super()._run
        return run(*inputs, **attributes | {"cubic_coeff_a": float(attributes["cubic_coeff_a"])})


PreciseResize.__name__ = "Resize"


def graph_of(attributes: dict[str, Any], symbolic: bool, dtype: str = "float64") -> og.Graph:
    """Build y = Resize(x, roi, scales), all three at run time."""
    b = og.Builder("resize")
    count = len(attributes.get("axes", range(4)))
    x = b.input("x", dtype, ("n", "c", "h", "w") if symbolic else (1, 2, 4, 5))
    roi = None
    if attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        roi = b.input("roi", dtype, ("r",) if symbolic else (2 * count,))
    scales = b.input("scales", "float32", ("s",) if symbolic else (count,))
    b.output(b.op.Resize(x, roi, scales, **attributes), "y")
    return b.build()


def feeds_of(graph: og.Graph, scales: tuple[float, ...], dtype: Any = np.float64) -> Arrays:
    """Give an image, scales that float32 has exactly, and where it is read the roi of a crop."""
    rng = np.random.default_rng(4)
    feeds: Arrays = {"x": rng.uniform(-1, 1, (1, 2, 4, 5))}
    feeds["scales"] = np.array(scales, np.float32)
    feeds["roi"] = np.array([0, 0.15, 0.1, 0.2, 1, 0.75, 0.7, 1.13])
    return {v.name: feeds[v.name].astype(dtype) for v in graph.inputs if v.name in feeds}


def forward(graph: og.Graph, feeds: Arrays) -> np.ndarray:
    """Run the reference of the one node on float64."""
    (node,) = graph.nodes()
    inputs = ["" if v is None else v.name for v in node.inputs]
    proto = helper.make_node("Resize", inputs, ["y"], **node.attributes)
    evaluator = ReferenceEvaluator(proto, new_ops=[PreciseResize])
    return np.asarray(evaluator.run(None, feeds)[0])  # type: ignore[index]  # a list of outputs


def seed(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(7).uniform(0.5, 1.5, shape)


def assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance * scale)


def gradients(attributes: dict[str, Any], feeds: Arrays, symbolic: bool) -> Arrays:
    graph = og.vjp(graph_of(attributes, symbolic), ["y"], ["x", "scales"])
    return og.compile(with_dtype(graph, np.dtype(np.float64))).run(feeds)


@every_case
def test_gradient_is_the_finite_difference(
    attributes: dict[str, Any], scales: tuple[float, ...]
) -> None:
    graph = graph_of(attributes, symbolic=False)
    feeds = feeds_of(graph, scales)
    y = forward(graph, feeds)
    dy = seed(y.shape)
    actual = gradients(attributes, {**feeds, "y.grad": dy}, symbolic=False)
    assert_close(actual["y"], y, 1e-12)

    def loss(moved: Arrays) -> float:
        return float((forward(graph, moved) * dy).sum())

    assert_close(actual["scales.grad"], finite_differences(loss, feeds, "scales"), 1e-6)
    assert_close(*along_directions(loss, feeds, "x", actual["x.grad"]), 1e-6)
    at_run_time = gradients(attributes, {**feeds, "y.grad": dy}, symbolic=True)
    for name, array in actual.items():
        assert_close(at_run_time[name], array, 1e-10)


@every_case
def test_second_order_is_the_finite_difference_of_the_gradient(
    attributes: dict[str, Any], scales: tuple[float, ...]
) -> None:
    graph = graph_of(attributes, symbolic=False)
    feeds = feeds_of(graph, scales)
    feeds["y.grad"] = seed(forward(graph, feeds).shape)
    double = partial(with_dtype, dtype=np.dtype(np.float64))
    first = og.vjp(graph, ["y"], ["x", "scales"])
    compiled = og.compile(double(first))
    gradients, every = ["x.grad", "scales.grad"], ["x", "scales", "y.grad"]
    directions = {f"{n}.grad": seed(feeds[n.removesuffix(".grad")].shape) for n in gradients}
    names = {n: f"{n}.second" for n in every}
    second = double(og.vjp(first, gradients, every, names=names, allow_unused=True))
    actual = og.compile(second).run({**feeds, **directions})

    def projected(moved: Arrays) -> float:
        results = compiled.run(moved)
        return float(sum((results[n] * directions[f"{n}.grad"]).sum() for n in gradients))

    for name in every:
        assert_close(*along_directions(projected, feeds, name, actual[names[name]]), 1e-5)


@every_case
def test_forward_mode_is_the_directional_difference(
    attributes: dict[str, Any], scales: tuple[float, ...]
) -> None:
    graph = graph_of(attributes, symbolic=True)
    feeds = feeds_of(graph, scales)
    pushed = with_dtype(og.jvp(graph, ["y"], ["scales"], allow_unused=True), np.dtype(np.float64))
    direction = seed(feeds["scales"].shape)
    actual = og.compile(pushed).run({**feeds, "scales.tangent": direction})["y.tangent"]
    ahead, behind = (
        forward(graph, {**feeds, "scales": feeds["scales"] + h * direction}) for h in (1e-6, -1e-6)
    )
    assert_close(actual, (ahead - behind) / 2e-6, 1e-6)


@pytest.mark.parametrize("attributes, scales", CASES[::3], ids=label)
def test_onnxruntime_agrees(attributes: dict[str, Any], scales: tuple[float, ...]) -> None:
    graph = og.vjp(graph_of(attributes, True, "float32"), ["y"], ["x", "scales"])
    feeds = feeds_of(graph, scales, np.float32)
    y = forward(graph_of(attributes, True), feeds_of(graph, scales))
    feeds["y.grad"] = seed(y.shape).astype(np.float32)
    expected = og.compile(graph).run(feeds)
    actual = og.compile(graph, "onnxruntime").run(feeds)
    for name, array in expected.items():
        assert_close(actual[name], array, 1e-4)


def kinds(graph: og.Graph) -> list[str]:
    return [n.op_type for n in graph.nodes()]


def test_resize_stays_where_no_gradient_by_its_scales_is_wanted() -> None:
    """Only what moves the samples smoothly has Resize differentiated by its body."""
    graph = graph_of({"mode": "linear"}, symbolic=True)
    assert "Resize" in kinds(og.vjp(graph, ["y"], ["x"]))
    assert "Resize" not in kinds(og.vjp(graph, ["y"], ["scales"]))
    steps = graph_of({"mode": "nearest"}, symbolic=True)
    zero = og.vjp(steps, ["y"], ["x", "scales"], allow_unused=True)
    assert "Resize" in kinds(zero)
    feeds = feeds_of(zero, UP)
    feeds |= {"scales": np.array(UP, np.float32), "y.grad": forward(steps, feeds)}
    np.testing.assert_array_equal(og.compile(zero).run(feeds)["scales.grad"], np.zeros(4))


@pytest.mark.parametrize("filter_", [{"mode": "linear"}, *FILTERS], ids=label)
@pytest.mark.parametrize("place", ["half_pixel", "asymmetric", "align_corners"])
def test_an_even_image_stays_even_where_slopes_jump(filter_: dict[str, Any], place: str) -> None:
    """Where samples lie on elements, the slopes to their two sides differ; one side is taken.

    A mixture of both would see an even image change.
    """
    attributes = {**filter_, "coordinate_transformation_mode": place}
    graph = graph_of(attributes, symbolic=True)
    compiled = og.compile(with_dtype(og.vjp(graph, ["y"], ["scales"]), np.dtype(np.float64)))
    for factor in (1.0, 2.0, 0.5):
        feeds = feeds_of(graph, (1.0, 1.0, factor, factor)) | {"x": np.ones((1, 2, 4, 5))}
        dy = seed(forward(graph, feeds).shape)
        gradient = compiled.run({**feeds, "y.grad": dy})["scales.grad"]
        np.testing.assert_allclose(gradient, 0, atol=1e-12)
