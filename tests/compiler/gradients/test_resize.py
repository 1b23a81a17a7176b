"""Gradients of Resize by what it resizes, against the matrix that its forward pass is.

`make resize` draws many more settings.
"""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from exact_calls import Call
from folded_and_fed import feeds_of, graph_of
from resize_calls import disagreement, draw, forward, gradient, in_single

import onnxgrad as og

both = pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])


@both
@pytest.mark.parametrize("seed", range(2))
def test_gradient_is_the_transposed_matrix(backend: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    calls = [draw(random) for _ in range(12)]
    assert [what for call in calls if (what := disagreement(call, backend))] == []


def resize(x: Any, sizes: list[int] | None = None, /, **given: Any) -> Call:
    """Give a call by sizes, or by scales and roi."""
    scales, roi = given.pop("scales", None), given.pop("roi", None)
    inputs = [
        np.asarray(x, np.float32),
        None if roi is None else np.array(roi, np.float32),
        None if scales is None else np.array(scales, np.float32),
        None if sizes is None else np.array(sizes),
    ]
    place = given.pop("place", "half_pixel")
    return Call("Resize", inputs, {"coordinate_transformation_mode": place, **given})


@both
@pytest.mark.parametrize("fed", [[0], range(4)], ids=["known", "fed"])
def test_one_sample_is_the_first_element(backend: str, fed: Any) -> None:
    call = resize([[3, 5, 7]], [1, 1], mode="cubic", place="pytorch_half_pixel")
    dy = np.ones((1, 1), np.float32)
    np.testing.assert_allclose(gradient(call, backend, fed, dy), [[1, 0, 0]], atol=1e-6)


CROP = {"roi": [0.0, 0.25, 1.0, 0.75], "place": "tf_crop_and_resize"}


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("by", [{"scales": [1, 1]}, {"scales": [1, 1.5]}, {}], ids=str)
@pytest.mark.parametrize("names", [None, ("m", "n")], ids=["static", "symbolic"])
def test_a_crop_to_the_same_size(mode: str, by: Any, names: tuple[str, str] | None) -> None:
    """Where a size stays, stock onnxruntime does not look at the crop."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 6)).astype(np.float32)
    call = resize(x, *([] if by else [[4, 6]]), **by, **CROP, mode=mode)
    graph = graph_of(call, [0])
    if names and not by:  # sizes that are x's own by name
        b = og.Builder("crop")
        image = b.input("x0", "float32", names)
        sizes, roi = b.op.Shape(image), np.array(CROP["roi"], np.float32)
        b.output(b.op.Resize(image, roi, None, sizes, **call.attributes), "y0")
        graph = b.build()
    backward = og.vjp(graph, "y0", "x0")
    start, _ = forward(call, "numpy")
    feeds = {"x0": x, "y0.grad": rng.normal(size=start.shape).astype(np.float32)}
    expected = og.compile(backward).run(feeds)
    content = og.to_onnx(backward).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    stock: dict[str, Any] = dict(
        zip([v.name for v in session.get_outputs()], session.run(None, feeds), strict=True)
    )
    for name, array in expected.items():
        np.testing.assert_allclose(stock[name], array, rtol=1e-4, atol=1e-5)


def test_axes_from_the_end_keep_the_aspect_ratio() -> None:
    policy = {"keep_aspect_ratio_policy": "not_smaller"}
    call = resize(np.ones((4, 6)), [2, 6], mode="nearest", axes=[-2, 1], **policy)
    for backend in ("numpy", "onnxruntime"):
        graph = graph_of(call, [0])
        assert og.compile(graph, backend).run(feeds_of(graph, call))["y0"].shape == (4, 6)


def test_corners_of_some_axes_are_aligned_by_the_scale() -> None:
    x = np.random.default_rng(3).normal(size=(2, 6))
    call = resize(x, scales=[1.7], axes=[-1], mode="linear", place="align_corners")
    for found, expected in zip(forward(call, "onnxruntime"), forward(call, "numpy"), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert disagreement(in_single(call), "onnxruntime") == ""


@pytest.mark.parametrize("place", ["half_pixel", "half_pixel_symmetric", "tf_crop_and_resize"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_to_no_elements(mode: str, place: str) -> None:
    """A size of 0 makes the scale 0, which has no inverse."""
    settings: dict[str, Any] = {"antialias": 1} if mode == "linear" else {}
    settings |= CROP if place == "tf_crop_and_resize" else {"place": place}
    call = resize(np.ones((4, 6)), [0, 3], mode=mode, **settings)
    graph = graph_of(call, [0])
    assert og.compile(graph).run(feeds_of(graph, call))["y0"].shape == (0, 3)
