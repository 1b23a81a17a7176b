"""Regions of interest hold what their samples read, not an image each."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from finite_differences import along_directions

import onnxgrad as og

REGIONS, CHANNELS, HEIGHT, WIDTH = 40, 8, 60, 80
SETTINGS: dict[str, Any] = {"output_height": 4, "output_width": 3, "spatial_scale": 0.5}


def graph(mode: str, ratio: int, shape: tuple[Any, ...], dtype: str = "float32") -> og.Graph:
    b = og.Builder("regions")
    x = b.input("x", dtype, shape)
    regions = b.input("regions", dtype, ("count", 4))
    images = b.input("images", "int64", ("count",))
    y = b.op.RoiAlign(x, regions, images, mode=mode, sampling_ratio=ratio, **SETTINGS)
    b.output(y, "y")
    return b.build()


def feeds(images: int, height: int, width: int, count: int, dtype: str) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 2 * min(height, width) - 3, (count, 2, 2)), axis=1)
    return {
        "x": rng.normal(size=(images, CHANNELS, height, width)).astype(dtype),
        "regions": corners.reshape(count, 4).astype(dtype),
        "images": rng.integers(0, images, count),
    }


@pytest.mark.parametrize(
    ("mode", "ratio", "sizes"),
    [
        ("avg", 2, (2, CHANNELS, HEIGHT, WIDTH)),
        ("avg", 2, ("N", "C", "H", "W")),
        ("max", 2, ("N", "C", "H", "W")),
        ("avg", 0, (1, CHANNELS, HEIGHT, WIDTH)),
        ("avg", 0, (1, "C", "H", "W")),
        ("avg", 1, (1, CHANNELS, HEIGHT, WIDTH)),
    ],
)
def test_no_region_holds_its_image(mode: str, ratio: int, sizes: tuple[Any, ...]) -> None:
    """An image for each region would take forty times what is sampled."""
    backward = og.vjp(graph(mode, ratio, sizes), "y", ["x"])
    given = feeds(1 if sizes[0] == 1 else 2, HEIGHT, WIDTH, REGIONS, "float32")
    shape = (REGIONS, CHANNELS, SETTINGS["output_height"], SETTINGS["output_width"])
    given["y.grad"] = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    compiled = og.compile(backward)
    tracemalloc.start()
    found = compiled.run(given)["x.grad"]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    image = CHANNELS * HEIGHT * WIDTH * 4
    assert peak < REGIONS * image / 2
    stock = og.compile(backward, "onnxruntime").run(given)["x.grad"]
    np.testing.assert_allclose(stock, found, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("images", [1, 2, "N"])
@pytest.mark.parametrize("ratio", [0, 1, 3])
@pytest.mark.parametrize("size", [7, 30])
def test_means_of_samples_by_pixels_and_corners(size: int, ratio: int, images: Any) -> None:
    """Pixels are gathered where samples read few, else multiplied, a single image by all."""
    shape = (images, CHANNELS, size, size + 1)
    forward = graph("avg", ratio, shape, "float64")
    given = feeds(3 if images == "N" else images, size, size + 1, 4, "float64")
    loss = og.compile(summed(forward)).run
    found = og.compile(og.grad(summed(forward), "loss", ["x", "regions"])).run(given)
    for name in ("x", "regions"):
        products, differences = along_directions(
            lambda f: float(loss(f)["loss"]), given, name, found[f"{name}.grad"], 1e-7
        )
        np.testing.assert_allclose(products, differences, rtol=1e-5, atol=1e-6)


def summed(forward: og.Graph) -> og.Graph:
    b = og.Builder.extend(forward)
    y = b.value("y")
    b.output(b.op.ReduceSum(b.op.Mul(y, b.op.Sin(y)), keepdims=0), "loss")
    return b.build()


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("image", [-1, 2])
@pytest.mark.parametrize(("mode", "ratio"), [("avg", 0), ("avg", 2), ("max", 2)])
def test_images_are_counted_from_the_first(mode: str, ratio: int, image: int, backend: str) -> None:
    """−1 is no image, as in onnxruntime; an operator of the body would take it for the last."""
    given = feeds(2, HEIGHT, WIDTH, 1, "float32") | {"images": np.array([image])}
    with pytest.raises(og.GraphError):
        og.compile(graph(mode, ratio, ("N", CHANNELS, HEIGHT, WIDTH)), backend).run(given)


@pytest.mark.parametrize("image", [-1.0, 2.0])
def test_images_of_pools_are_counted_from_the_first(image: float) -> None:
    b = og.Builder("pool")
    x, regions = b.input("x", "float32", (2, 1, 4, 4)), b.input("regions", "float32", (1, 5))
    b.output(b.op.MaxRoiPool(x, regions, pooled_shape=[2, 2]), "y")
    given = {"x": np.ones((2, 1, 4, 4)), "regions": np.array([[image, 0, 0, 3, 3]])}
    with pytest.raises(og.GraphError, match="out of bounds"):
        og.compile(b.build()).run({name: a.astype(np.float32) for name, a in given.items()})
