"""Gradients of If, where a runtime infers shapes in a branch that is never taken."""

from typing import Any

import numpy as np
import onnxruntime

import onnxgrad as og


def run(graph: og.Graph, feeds: dict[str, Any]) -> dict[str, Any]:
    """Run plain ONNX in stock onnxruntime."""
    session: Any = onnxruntime.InferenceSession(
        og.to_onnx(graph).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [v.name for v in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def test_a_branch_that_what_follows_does_not_fit() -> None:
    """ScatterElements takes w² alone, so dy has the sizes of w, and those of sin x are others."""
    b = og.Builder()
    chosen = b.input("chosen", "bool", ())
    x, w = b.input("x", "float32", (2, 1, 3)), b.input("w", "float32", (2, 2, 4))
    then = b.subgraph(lambda: b.op.Sin(x))
    other = b.subgraph(lambda: w * w)
    y = b.op.If(chosen, then_branch=then, else_branch=other)
    places = np.broadcast_to(np.arange(2).reshape(2, 1, 1), (2, 2, 4))
    b.output(b.op.ScatterElements(y, places, y, axis=0), "y")
    dw = np.arange(16, dtype=np.float32).reshape(2, 2, 4)
    feeds = {"chosen": np.array(False), "x": np.ones((2, 1, 3), np.float32), "w": dw + 1}
    results = run(og.vjp(b.build(), ["y"], ["x", "w"]), {**feeds, "y.grad": dw})
    np.testing.assert_allclose(results["w.grad"], 2 * (dw + 1) * dw)
    np.testing.assert_array_equal(results["x.grad"], np.zeros((2, 1, 3)))


def test_a_branch_that_a_known_condition_leaves_out() -> None:
    """onnxruntime puts what the else branch gives in the place of what its neighbour saved."""
    b = og.Builder()
    total = b.op.ReduceSum(np.array([-0.5, 0.25], np.float32), keepdims=0)
    x, w = b.input("x", "float32", (1, 1, 4, 1)), b.input("w", "float32", ("n", 1, "m", 1))
    then = b.subgraph(lambda: b.op.MatMul(x, w))
    other = b.subgraph(lambda: b.op.Mul(x, np.array([1, 2, 3], np.float32)))
    y = b.op.If(total > 0.0, then_branch=then, else_branch=other)
    b.output(b.op.ReduceSum(y * y, keepdims=0), "loss")
    feeds = {"x": np.ones((1, 1, 4, 1), np.float32), "w": np.ones((2, 1, 1, 1), np.float32)}
    feeds |= {"x.tangent": np.ones((1, 1, 4, 1), np.float32), "w.tangent": feeds["w"]}
    results = run(og.hvp(b.build(), "loss", ["x", "w"]), feeds)
    np.testing.assert_allclose(results["x.hvp"], np.full((1, 1, 4, 1), 28.0))
    np.testing.assert_array_equal(results["w.hvp"], np.zeros((2, 1, 1, 1)))
