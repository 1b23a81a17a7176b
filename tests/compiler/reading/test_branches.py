"""Of an If whose condition the sizes tell, only the branch that is taken is read."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, parser
from written_files import run_in_onnxruntime

import onnxgrad as og

HEADER = '<ir_version: 8, opset_import: ["": 17, "local": 1]>'

SQUEEZED = """g (float[N, M, K] x, float[3, 2] w) => (float[A, B] y) {
    one = Constant<value = int64[1] {1}>()
    shape = Shape(x)
    middle = Gather(shape, one)
    same = Equal(middle, one)
    c = Squeeze(same)
    s = If(c) <
        then_branch = t () => (float[P, Q] p) { p = Squeeze(x, one) },
        else_branch = e () => (float[R, S, T] q) { q = Identity(x) }
    >
    y = MatMul(s, w)
}"""
"""Squeeze the middle axis where it is 1: what exporters write for x.squeeze(1)."""

W = np.arange(6, dtype=np.float32).reshape(3, 2)


def model(text: str) -> ModelProto:
    made: ModelProto = parser.parse_model(HEADER + text)
    return made


def operators(graph: og.Graph) -> set[str]:
    return {n.op_type for n in graph.nodes()}


@pytest.mark.parametrize("middle", [1, 4])
def test_a_rank_that_the_sizes_tell(middle: int) -> None:
    """Squeeze does not even fit where the middle axis is 4."""
    made = model(SQUEEZED)
    x = np.arange(6 * middle, dtype=np.float32).reshape(2, middle, 3)
    graph = og.load(made, shapes={"x": x.shape})
    assert "If" not in operators(graph)
    assert graph.outputs[0].shape == ((2, 2) if middle == 1 else (2, 4, 2))
    gradient = og.vjp(graph, "y", ["x", "w"])
    expected = run_in_onnxruntime(made, {"x": x, "w": W})["y"]
    seed = np.ones_like(expected)
    for backend in ("numpy", "onnxruntime"):
        found = og.compile(gradient, backend).run({"x": x, "w": W, "y.grad": seed})
        np.testing.assert_array_equal(found["y"], expected)
        np.testing.assert_array_equal(found["x.grad"], np.broadcast_to(W.sum(1), x.shape))
        np.testing.assert_array_equal(found["w.grad"], np.outer(x.sum((0, 1)), [1, 1]))


def test_open_sizes_leave_the_if() -> None:
    graph = og.load(model(SQUEEZED))
    assert "If" in operators(graph)
    with pytest.raises(og.GradientError, match="a rank of its inputs is not known"):
        og.vjp(graph, "y", "x")


BRANCHES = """g (float[N] x) => (float[P] y, float[Q] z, float[N] v) {{
    c = Constant<value = bool {{{condition}}}>()
    y, z, v = If(c) <
        then_branch = t () => (float[P] a, float[Q] a, float[N] x)
            <float[2] w = {{2.0, 3.0}}> {{ a = Mul(x, w) }},
        else_branch = e () => (float[P] a, float[Q] k, float[N] b)
            <float[1] k = {{5.0}}> {{ a = Neg(x)  b = local.twice(a) }}
    >
}}
<domain: "local", opset_import: ["": 17]>
twice (x) => (y) {{ y = Add(x, x) }}"""


@pytest.mark.parametrize("condition", [0, 1])
def test_what_a_branch_gives(condition: int) -> None:
    """Computed, given twice, held, passed on from outside; both branches use the same name."""
    graph = og.load(model(BRANCHES.format(condition=condition)))
    assert [v.name for v in graph.outputs] == ["y", "z", "v"] and "If" not in operators(graph)
    x = np.array([1, 4], np.float32)
    found = og.compile(graph).run({"x": x})
    expected: Any = (x * [2, 3],) * 2 + (x,) if condition else (-x, np.array([5]), -2 * x)
    for name, array in zip("yzv", expected, strict=True):
        np.testing.assert_array_equal(found[name], array)
    parameters = [v.name for v in graph.values() if v.parameter]
    assert parameters == (["w"] if condition else ["k"])
    onnx.checker.check_model(og.to_onnx(graph), full_check=True)


def test_inside_a_loop_and_a_function() -> None:
    made = model("""g (float[N] x) => (float[N] y) <int64 trips = {3}> {
        y = Loop(trips, , x) <body = step (int64 i, bool going, float[K] s) => (bool on, float[K] r)
            { on = Identity(going)  r = local.maybe(s) }
        >
    }
    <domain: "local", opset_import: ["": 17]>
    maybe (x) => (y) {
        n = Size(x)
        two = Constant<value = int64 {2}>()
        c = Equal(n, two)
        y = If(c) <
            then_branch = t () => (float[K] p) { p = Add(x, x) },
            else_branch = e () => (float[K] q) { q = Neg(x) }
        >
    }""")
    for size, factor in ((2, 8), (3, -1)):
        graph = og.load(made, shapes={"N": size})
        (loop,) = (n for n in graph.nodes() if n.op_type == "Loop")
        assert "If" not in operators(loop.subgraphs[0])
        x = np.ones(size, np.float32)
        found = og.compile(og.vjp(graph, "y", "x")).run({"x": x, "y.grad": x})
        np.testing.assert_array_equal(found["y"], factor * x)
        np.testing.assert_array_equal(found["x.grad"], factor * x)


RATES = """g (float[N] x, int64 rate, float[5] v, float[3] w) => (float[M] y, float s) {
    fast = Constant<value = int64 {16}>()
    c = Equal(rate, fast)
    y, s = If(c) <
        then_branch = t () => (float[P] p, float m) { p = Mul(x, v)  m = ReduceSum<keepdims=0>(p) },
        else_branch = e () => (float[Q] q, float n) { q = Mul(x, w)  n = ReduceMax<keepdims=0>(q) }
    >
}"""
"""A model for two rates, each with a length of its own."""


@pytest.mark.parametrize(("size", "rate", "other"), [(5, 16, 8), (3, 8, 16)])
@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_a_branch_that_cannot_run_at_the_sizes_fails_where_it_is_taken(
    size: int, rate: int, other: int, backend: str
) -> None:
    graph = og.load(model(RATES), shapes={"x": (size,)})
    assert [v.shape for v in graph.outputs] == [(size,), ()]
    compiled = og.compile(og.vjp(graph, ["y", "s"], "x"), backend)
    x, v, w = (np.arange(1, k + 1, dtype=np.float32) for k in (size, 5, 3))
    feeds = {"x": x, "v": v, "w": w, "y.grad": np.ones_like(x), "s.grad": np.float32(2)}
    found = compiled.run({**feeds, "rate": np.array(rate)})
    chosen = v if rate == 16 else w
    by_s = 2 * chosen if rate == 16 else [0, 0, 2 * 3]
    np.testing.assert_array_equal(found["y"], x * chosen)
    np.testing.assert_array_equal(found["x.grad"], chosen + by_s)
    with pytest.raises(og.OnnxgradError):
        compiled.run({**feeds, "rate": np.array(other)})


def test_where_no_branch_can_run_the_reason_is_given() -> None:
    with pytest.raises(og.GraphError, match="in the node 'y' .If.: in the node 'p' .Mul."):
        og.load(model(RATES), shapes={"x": (4,)})


def test_a_file_whose_own_sizes_do_not_fit_is_refused() -> None:
    with pytest.raises(og.GraphError, match="in the node 'q' .Mul."):
        og.load(model(RATES.replace("float[N] x", "float[5] x")))


def test_a_builder_takes_the_type_of_the_branch_that_is_taken() -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("N", 3))
    branches = {"then_branch": b.subgraph(lambda: x + 0), "else_branch": b.subgraph(lambda: x[0])}
    y = b.op.If(b.constant(np.array(True)), **branches)
    assert y.shape == ("N", 3)
    b.output(y @ W, "y")
    found = og.compile(og.vjp(b.build(), "y", "x"))
    feeds = {"x": np.ones((2, 3), np.float32), "y.grad": np.ones((2, 2), np.float32)}
    np.testing.assert_array_equal(found.run(feeds)["x.grad"], [W.sum(1)] * 2)
