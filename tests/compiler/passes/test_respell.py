"""What is said otherwise for a runtime is the same function, and holds the operator no more."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from op_samples import SAMPLES
from op_samples.graphs import feeds_of, graph_of
from op_samples.sample import Sample

import onnxgrad as og

SAID = {"Softplus": "tract", "ConvTranspose": "iree", "MaxPool": "opencv"}
"""Operators, and a runtime that has them said otherwise."""

ROWS = [s for s in SAMPLES if s.op in SAID and s.onnxruntime]


def pads_itself(sample: Sample) -> bool:
    """Tell whether a ConvTranspose's padding depends on its image."""
    automatic = str(sample.attributes.get("auto_pad", "")).startswith("SAME")
    return automatic or "output_shape" in sample.attributes


def saved(graph: og.Graph, path: Path, runtime: str) -> list[str]:
    og.save(graph, path, runtime=runtime)
    return [n.op_type for n in onnx.load(path).graph.node]


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("sample", ROWS, ids=str)
def test_the_function_is_the_same(sample: Sample, symbolic: bool, tmp_path: Path) -> None:
    path = tmp_path / "said.onnx"
    graph = graph_of(sample, symbolic, "float32")
    called = saved(graph, path, SAID[sample.op])
    if sample.op != "MaxPool":
        assert sample.op not in called or pads_itself(sample)
    feeds = feeds_of(graph, sample)
    expected = og.compile(graph).run(feeds)
    session = onnxruntime.InferenceSession(path)
    for actual, wanted in zip(session.run(None, feeds), expected.values(), strict=True):
        np.testing.assert_allclose(np.asarray(actual), wanted, rtol=1e-4, atol=1e-5)


def test_softplus_does_not_overflow(tmp_path: Path) -> None:
    b = og.Builder("softplus")
    b.output(b.op.Softplus(b.input("x", "float32", (3,))), "y")
    saved(b.build(), tmp_path / "a.onnx", "opencv")
    (y,) = onnxruntime.InferenceSession(tmp_path / "a.onnx").run(
        None, {"x": np.array([-200, 0, 200], np.float32)}
    )
    np.testing.assert_allclose(np.asarray(y), [0, np.log(2), 200], rtol=1e-6)


@pytest.mark.parametrize("runtime", ["opencv", "iree"])
@pytest.mark.parametrize("shape", [(2, 3, 6), (2, 3, 6, 6)], ids=["line", "plane"])
def test_indices_of_pools_are_the_standard_s(
    shape: tuple[int, ...], runtime: str, tmp_path: Path
) -> None:
    b = og.Builder("pool")
    x = b.input("x", "float32", shape)
    kernel = [2] * (len(shape) - 2)
    y, indices = b.op.MaxPool(x, kernel_shape=kernel, strides=kernel, outputs=2)
    b.output(y, "y")
    b.output(indices, "indices")
    called = saved(b.build(), tmp_path / "a.onnx", runtime)
    assert ("Reshape" in called) == (runtime == "opencv")
    assert ("Mod" in called) == (runtime == "iree")
    array = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = onnxruntime.InferenceSession(tmp_path / "a.onnx").run(None, {"x": array})
    pooled, places = map(np.asarray, found)
    np.testing.assert_array_equal(pooled, array.reshape(-1)[places])


@pytest.mark.parametrize(
    "windows",
    [
        {},
        {"auto_pad": "SAME_LOWER"},
        {"pads": [1, 0, 1, 1]},
        {"strides": [2, 1]},
        {"strides": [3, 3]},
    ],
    ids=str,
)
@pytest.mark.parametrize("sizes", [(2, 3, 6, 5), ("N", 3, 6, 5), ("N", "C", "H", "W")], ids=str)
def test_the_reference_counts_indices_as_the_standard(
    sizes: tuple[int | str, ...], windows: dict[str, Any], tmp_path: Path
) -> None:
    b = og.Builder("pool")
    x = b.input("x", "float32", sizes)
    y, indices = b.op.MaxPool(x, kernel_shape=[3, 2], outputs=2, **windows)
    b.output(y, "y")
    b.output(indices, "indices")
    array = np.random.default_rng(0).normal(size=(2, 3, 6, 5)).astype(np.float32)
    assert "Mod" in saved(b.build(), tmp_path / "a.onnx", "reference")
    reference = ReferenceEvaluator(onnx.load(tmp_path / "a.onnx"))
    pooled, places = map(np.asarray, reference.run(None, {"x": array}))
    np.testing.assert_array_equal(pooled, array.reshape(-1)[places])
    og.save(b.build(), tmp_path / "b.onnx")
    expected = onnxruntime.InferenceSession(tmp_path / "b.onnx").run(None, {"x": array})
    np.testing.assert_array_equal(pooled, np.asarray(expected[0]))


@pytest.mark.parametrize(
    "windows",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 2], "pads": [2, 0, 1, 1]},
        {"kernel_shape": [2, 3], "strides": [1, 2], "dilations": [3, 2]},
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [2, "N"])
def test_indices_are_those_of_the_first_maximum(
    batch: int | str, windows: dict[str, Any], tmp_path: Path
) -> None:
    b = og.Builder("pool")
    y, indices = b.op.MaxPool(b.input("x", "float32", (batch, 3, 8, 9)), outputs=2, **windows)
    b.output(y, "y")
    b.output(indices, "indices")
    called = saved(b.build(), tmp_path / "openvino.onnx", "openvino")
    assert called.count("Where") == np.prod(windows["kernel_shape"]) - 1
    saved(b.build(), tmp_path / "stock.onnx", "onnxruntime")
    many_alike = np.random.default_rng(0).integers(-2, 2, (2, 3, 8, 9)).astype(np.float32)
    found, expected = (
        onnxruntime.InferenceSession(tmp_path / f"{name}.onnx").run(None, {"x": many_alike})
        for name in ("openvino", "stock")
    )
    for actual, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(actual), np.asarray(wanted))


@pytest.mark.parametrize(
    ("padding", "sizes"),
    [
        ({"auto_pad": "SAME_UPPER"}, (2, 4, 5, 5)),
        ({"auto_pad": "SAME_LOWER"}, ("N", 4, "H", "W")),
        ({"auto_pad": "VALID"}, ("N", 4, "H", "W")),
        ({"output_shape": [11, 10]}, (2, 4, 5, 5)),
    ],
    ids=str,
)
def test_groups_are_said_otherwise_however_padded(
    padding: dict[str, Any], sizes: tuple[int | str, ...], tmp_path: Path
) -> None:
    b = og.Builder("transposed")
    x = b.input("x", "float32", sizes)
    w = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    y = b.op.ConvTranspose(x, b.parameter("w", w), group=2, strides=[2, 2], **padding)
    b.output(y, "y")
    assert "ConvTranspose" not in saved(b.build(), tmp_path / "a.onnx", "reference")
    og.save(b.build(), tmp_path / "b.onnx")
    feeds = {"x": np.random.default_rng(1).normal(size=(2, 4, 5, 5)).astype(np.float32)}
    (expected,) = onnxruntime.InferenceSession(tmp_path / "b.onnx").run(None, feeds)
    (actual,) = ReferenceEvaluator(onnx.load(tmp_path / "a.onnx")).run(None, feeds)
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("group", [1, 2])
def test_only_convolutions_in_groups_are_said_otherwise(group: int, tmp_path: Path) -> None:
    b = og.Builder("transposed")
    x = b.input("x", "float32", (1, 4, 3, 3))
    w = b.parameter("w", np.ones((4, 2, 2, 2), np.float32))
    b.output(b.op.ConvTranspose(x, w, group=group, strides=[2, 2]), "y")
    called = saved(b.build(), tmp_path / "a.onnx", "reference")
    assert ("ConvTranspose" in called) == (group == 1)
