"""vmap, jvp and Hessians through sequences: nodes that share one run in one Loop together."""

from functools import partial

import numpy as np
import onnx
import pytest
from finite_differences import finite_differences

import onnxgrad as og

BACKENDS = ["numpy", "onnxruntime"]
X = np.random.default_rng(3).normal(size=(4, 3, 2))


def rows() -> og.Graph:
    """y = Σ sin of rows of x that a loop scales by w and puts before each other."""
    b = og.Builder("rows")
    x, w = b.input("x", "float64", (3, 2)), b.input("w", "float64", (2,))
    parts = b.op.SplitToSequence(x, axis=0, keepdims=1)

    def step(i: og.Tensor, going: og.Tensor, kept: og.Tensor) -> tuple[og.Tensor, og.Tensor]:
        row = b.op.SequenceAt(parts, i)
        return going, b.op.SequenceInsert(kept, b.op.Mul(row, b.op.Tanh(w)), np.array(0))

    empty = b.op.SequenceEmpty(dtype=11)
    body = b.subgraph(step, ("int64", ()), ("bool", ()), empty)
    kept = b.op.Loop(3, None, empty, body=body)
    turned = b.op.ConcatFromSequence(kept, axis=0)
    b.output(turned, "turned")
    b.output(b.op.ReduceSum(b.op.Sin(turned) * x, keepdims=0), "y")
    return b.build()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_of_gradients(backend: str) -> None:
    graph = og.grad(rows(), "y", ["x", "w"])
    w = np.array([0.5, -1.5])
    single, whole = og.compile(graph, backend), og.compile(og.vmap(graph, "x"), backend)
    results = whole.run({"x": X, "w": w})
    each = [single.run({"x": x, "w": w}) for x in X]
    for name, array in results.items():
        np.testing.assert_allclose(array, [r[name] for r in each], rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_hessian(backend: str) -> None:
    gradient = og.compile(og.grad(rows(), "y", "w"))
    feeds = {"x": X[0], "w": np.array([0.5, -1.5])}
    hessian = og.compile(og.hessian(rows(), "y", "w"), backend).run(feeds)["y.hessian.w.w"]

    def slope(k: int, moved: dict[str, np.ndarray]) -> float:
        return float(gradient.run(moved)["w.grad"][k])

    for k in range(2):
        expected = finite_differences(partial(slope, k), feeds, "w")
        np.testing.assert_allclose(hessian[k], expected, rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tangent(backend: str) -> None:
    gradient = og.compile(og.grad(rows(), "y", ["x", "w"]))
    feeds = {"x": X[0], "w": np.array([0.5, -1.5])}
    direction = {"x.tangent": X[1], "w.tangent": np.array([1.0, 0.25])}
    pushed = og.compile(og.jvp(rows(), "y", ["x", "w"]), backend).run(feeds | direction)
    by = gradient.run(feeds)
    expected = sum((by[f"{n}.grad"] * direction[f"{n}.tangent"]).sum() for n in ("x", "w"))
    np.testing.assert_allclose(pushed["y.tangent"], expected, rtol=1e-12)


def test_a_batch_of_sequences_is_refused() -> None:
    b = og.Builder("parts")
    b.output(b.op.SplitToSequence(b.input("x", "float64", (3, 2)), axis=0), "parts")
    with pytest.raises(og.UnsupportedOpError, match="'parts' is seq.*ONNX has no batch of these"):
        og.vmap(b.build(), ["x"])


def test_a_sequence_gets_no_batch_axis_but_may_be_shared() -> None:
    text = """<ir_version: 10, opset_import: ["": 21]>
        product (seq(double[3, 2]) parts, double[2] w) => (double[6, 2] y)
        { all = ConcatFromSequence <axis = 0> (parts)  y = Mul(all, w) }"""
    graph = og.load(onnx.parser.parse_model(text))
    with pytest.raises(og.GraphError, match="'parts' is seq.*ONNX has no batch of these; name"):
        og.vmap(graph)
    parts, w = [X[0], X[1]], X[:, 0]
    result = og.compile(og.vmap(graph, "w")).run({"parts": parts, "w": w})["y"]
    np.testing.assert_allclose(result, np.concatenate(parts) * w[:, None])


def test_examples_of_different_shapes_are_refused_when_they_run() -> None:
    b = og.Builder("ragged")
    count = b.input("count", "int64", ())
    b.output(b.op.Range(np.array(0), count, np.array(1)), "y")
    compiled = og.compile(og.vmap(b.build(), "count"))
    with pytest.raises(og.GraphError, match="from step to step: \\(1,\\), \\(3,\\)"):
        compiled.run({"count": np.array([1, 3])})
