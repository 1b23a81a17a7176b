"""Nodes that a file leaves unsorted are read as runtimes do, and cycles are refused by name."""

import numpy as np
import onnx
import pytest
from onnx import ModelProto, parser
from written_files import run_in_onnxruntime

import onnxgrad as og

HEADER = '<ir_version: 8, opset_import: ["": 17, "local": 1]>'
X = np.array([0.5, -1.0, 2.0], np.float32)


def model(text: str) -> ModelProto:
    made: ModelProto = parser.parse_model(HEADER + text)
    return made


UNSORTED = {
    "graph": """g (float[N] x) => (float[N] y) {
        y = Mul(b, a)
        b = Cast<to = 1>(half)
        half = Cast<to = 10>(x)
        a = Exp(x)
    }""",
    "captured by a branch": """g (float[N] x) => (float[N] y) {
        y = If(c) <
            then_branch = t () => (float[M] p) { p = Mul(b, a) },
            else_branch = e () => (float[M] q) { q = Neg(x) }
        >
        b = Cast<to = 1>(half)
        half = Cast<to = 10>(x)
        a = Exp(x)
        s = ReduceMax<keepdims = 0>(a)
        zero = Constant<value = float {0.0}>()
        c = Greater(s, zero)
    }""",
    "inside a branch": """g (float[N] x, float z) => (float[N] y) <float z = {0.0}> {
        s = ReduceMax<keepdims = 0>(x)
        c = Greater(s, z)
        y = If(c) <
            then_branch = t () => (float[M] p) {
                p = Mul(b, a)
                b = Cast<to = 1>(half)
                half = Cast<to = 10>(x)
                a = Exp(x)
            },
            else_branch = e () => (float[M] q) { q = Neg(x) }
        >
    }""",
}


@pytest.mark.parametrize("kind", UNSORTED)
def test_unsorted_nodes_are_read_as_runtimes_do(kind: str) -> None:
    made = model(UNSORTED[kind])
    graph = og.vjp(og.load(made), "y", "x")
    found = og.compile(graph).run({"x": X, "y.grad": np.ones(3, np.float32)})
    np.testing.assert_allclose(found["y"], X * np.exp(X), rtol=1e-6)
    np.testing.assert_allclose(found["x.grad"], np.exp(X) * (1 + X), rtol=1e-3, atol=1e-3)
    if kind == "graph":  # onnxruntime sorts no further
        np.testing.assert_allclose(run_in_onnxruntime(made, {"x": X})["y"], found["y"], rtol=1e-6)
    onnx.checker.check_model(og.to_onnx(graph), full_check=True)


def test_the_body_of_a_function_is_sorted_too() -> None:
    made = model("""g (float[N] x) => (float[N] y) { y = local.f(x) }
        <domain: "local", opset_import: ["": 17]>
        f (x) => (y) { y = Mul(a, a)  a = Exp(x) }""")
    found = og.compile(og.load(made)).run({"x": X})
    np.testing.assert_allclose(found["y"], np.exp(2 * X), rtol=1e-6)


def test_sorted_nodes_stay_in_their_order() -> None:
    """Those that are ready stay in it, too: only the one that waits is moved."""
    made = model("""g (float[N] x) => (float[N] y) {
        d = Exp(x)  y = Sum(a, b, c, d)  c = Neg(x)  a = Abs(x)  b = Sin(x)
    }""")
    nodes = [n.op_type for n in og.load(made).nodes()]
    assert nodes == ["Exp", "Neg", "Abs", "Sin", "Sum"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("g (float[N] x) => (float[N] y) { y = Add(y, x) }", "'y'"),
        (
            "g (float[N] x) => (float[N] y) { a = Exp(x)  b = Add(a, d)  d = Neg(y)  y = Neg(b) }",
            "'y' → 'd' → 'b'",
        ),
        (
            """g (float[N] x, bool c) => (float[N] y) {
                a = If(c) <
                    then_branch = t () => (float[M] p) { p = Neg(y) },
                    else_branch = e () => (float[M] q) { q = Neg(x) }
                >
                y = Exp(a)
            }""",
            "'y' → 'a'",
        ),
        (
            """g (float[N] x) => (float[N] y) { y = local.f(x) }
            <domain: "local", opset_import: ["": 17]>
            f (x) => (y) { a = Neg(b)  b = Neg(a)  y = Add(a, x) }""",
            "'b' → 'a'",
        ),
    ],
)
def test_cycles_are_refused_by_name(text: str, path: str) -> None:
    with pytest.raises(og.ModelFileError, match=f"the nodes form a cycle through {path}"):
        og.load(model(text))
