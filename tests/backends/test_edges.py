"""Operators that real models seldom use, at their edges: NumPy against stock onnxruntime."""

from typing import Any

import numpy as np
import pytest
from edge_calls import EDGES
from exact_calls import Call
from folded_and_fed import feeds_of, graph_of, on_onnxruntime

import onnxgrad as og

CALLS = 15


def on_numpy(call: Call) -> list[np.ndarray]:
    graph = graph_of(call, range(len(call.inputs)))
    return list(og.compile(graph).run(feeds_of(graph, call)).values())


@pytest.mark.parametrize("op", EDGES)
def test_numpy_is_onnxruntime(op: str) -> None:
    random = np.random.default_rng([2, *op.encode()])
    ran = 0
    for _ in range(CALLS):
        call = EDGES[op](random, op)
        stock = on_onnxruntime(call, range(len(call.inputs)))
        for found, expected in zip(on_numpy(call), stock or [], strict=False):
            ran += 1
            assert (found.dtype, found.shape) == (expected.dtype, expected.shape), str(call)
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(found, expected, 1e-4, 1e-5, err_msg=str(call))
            else:
                np.testing.assert_array_equal(found, expected, err_msg=str(call))
    assert ran >= CALLS // 2


def zeros_of(*rows: int) -> np.ndarray:
    return np.array(rows, np.uint8)


def test_zero_points_of_rows() -> None:
    """A list has one for each row of the first matrix; onnxruntime takes none there."""
    a, b = np.array([[1, 2], [3, 4]], np.uint8), np.array([[5, 6, 7], [8, 9, 10]], np.uint8)
    call = Call("MatMulInteger", [a, b, zeros_of(1, 2), zeros_of(5, 6, 7)])
    (found,) = on_numpy(call)
    expected = (a.astype(int) - [[1], [2]]) @ (b.astype(int) - [[5, 6, 7]])
    np.testing.assert_array_equal(found, expected)


def test_halves_are_rounded_before_the_zero_point_is_added() -> None:
    one, half = np.array(1, np.float32), np.array([[1]], np.uint8)
    scale, zero = np.array(2, np.float32), np.array(0, np.uint8)
    call = Call("QLinearMatMul", [half, one, zero, half, one, zero, scale, zeros_of(1)[0]])
    assert on_numpy(call)[0].item() == 1  # round(0.5) + 1, not round(1.5)


def test_accents_and_empty_texts_stay() -> None:
    call = Call("StringNormalizer", [np.array(["é", "", "b"], object)], {"stopwords": ["B"]})
    assert on_numpy(call)[0].tolist() == ["é", ""]


def test_a_blank_behind_the_last_split_goes() -> None:
    """As the standard says of white space: what leads or trails is removed."""
    call = Call("StringSplit", [np.array(" a  b c ", object)], {"maxsplit": 1}, 2)
    parts, count = on_numpy(call)
    assert parts.tolist() == ["a", "b c"] and count.item() == 2


@pytest.mark.parametrize("x", [np.array(1.9), np.array([0.5, 7.0]), np.array([["b", "c"]], object)])
def test_one_hot_categories(x: np.ndarray) -> None:
    b = og.Builder("ml")
    settings: dict[str, Any] = {"cats_int64s": [0, 1]}
    if x.dtype.kind == "O":
        settings = {"cats_strings": ["a", "b"]}
    else:
        x = x.astype(np.float32)
    y = b.op.OneHotEncoder(b.input("x", x.dtype, x.shape), domain="ai.onnx.ml", **settings)
    b.output(y, "y")
    found, expected = (og.compile(b.build(), name)(x=x)["y"] for name in ("numpy", "onnxruntime"))
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (*x.shape, 2)


def test_every_element_must_be_a_category_without_zeros() -> None:
    b = og.Builder("ml")
    x = b.input("x", "int64", (2,))
    settings = {"cats_int64s": [0, 1], "zeros": 0}
    b.output(b.op.OneHotEncoder(x, domain="ai.onnx.ml", **settings), "y")
    graph = og.compile(b.build())
    assert graph(x=np.array([1, 0]))["y"].tolist() == [[0, 1], [1, 0]]
    with pytest.raises(og.GraphError, match="none of the categories"):
        graph(x=np.array([1, 2]))


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("rows", [0, 2])
def test_features_of_no_rows(backend: str, rows: int) -> None:
    """The kernel of onnxruntime ends the process where there are none."""
    b = og.Builder("ml")
    x = b.input("x", "float32", ("n", 3))
    widths = {"inputdimensions": [3, 3]}
    b.output(b.op.FeatureVectorizer(x, x, domain="ai.onnx.ml", **widths), "y")
    found = og.compile(b.build(), backend)(x=np.ones((rows, 3), np.float32))["y"]
    assert found.shape == (rows, 6)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_one_vector_is_one_row(backend: str) -> None:
    b = og.Builder("ml")
    x = b.input("x", "float32", (2,))
    settings = {"coefficients": [1.0, 0.0, 0.0, 1.0], "intercepts": [0.0, 0.0]}
    label, scores = b.op.LinearClassifier(
        x, domain="ai.onnx.ml", outputs=2, classlabels_ints=[4, 9], **settings
    )
    b.output(label, "label")
    b.output(scores, "scores")
    results = og.compile(b.build(), backend)(x=np.array([1, 3], np.float32))
    assert results["label"].tolist() == [9] and results["scores"].tolist() == [[1, 3]]
