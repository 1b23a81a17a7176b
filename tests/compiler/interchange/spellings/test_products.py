"""Products that stock onnxruntime fuses with a Transpose, wrongly or to its end."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og


def run_saved(graph: og.Graph, feeds: Any) -> Any:
    session: Any = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    return session.run(None, feeds)[0]


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(
    "shape, perm", [((4, 4), [1, 0]), ((2, 3, 4), [0, 2, 1]), ((2, 2, 3, 4), [0, 1, 3, 2])]
)
def test_a_transposed_matrix_by_a_vector(shape: Any, perm: list[int], constant: bool) -> None:
    rng = np.random.default_rng(0)
    matrix, vector = (rng.normal(size=s).astype(np.float32) for s in (shape, shape[-2:-1]))
    b = og.Builder("product")
    x = b.input("x", "float32", shape)
    v = b.constant(vector) if constant else b.input("v", "float32", vector.shape)
    b.output(b.op.MatMul(b.op.Transpose(x, perm=perm), v), "y")
    graph, feeds = b.build(), {"x": matrix} if constant else {"x": matrix, "v": vector}
    expected = matrix.transpose(perm) @ vector
    for found in (run_saved(graph, feeds), og.compile(graph, "onnxruntime").run(feeds)["y"]):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("perm", [[1, 0, 2], [1, 2, 0], None])
def test_float16_by_a_known_matrix(perm: list[int] | None, first: bool) -> None:
    """Without its spelling onnxruntime ends the process as it opens the file."""
    rng = np.random.default_rng(0)
    array, known = (rng.normal(size=s).astype(np.float16) for s in ((4, 4, 4), (4, 4)))
    b = og.Builder("product")
    turned = b.op.Transpose(b.input("x", "float16", array.shape), perm=perm)
    matrix = b.constant(known)
    b.output(b.op.MatMul(matrix, turned) if first else b.op.MatMul(turned, matrix), "y")
    moved = array.astype(np.float32).transpose(perm)
    expected = known.astype(np.float32) @ moved if first else moved @ known.astype(np.float32)
    found = run_saved(b.build(), {"x": array})
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-2)
