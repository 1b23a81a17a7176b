"""Chains of elementwise operators on the backend numba, against closed forms and onnxruntime."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.backends.compiled.elementwise import OPERATOR, _compile, fuse_elementwise
from onnxgrad.backends.compiled.registry import COMPILED
from onnxgrad.compiler.opset import COMPOSITE_DOMAIN

SHAPE = (3, 160, 150)


def draw(dtype: str, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape or SHAPE).astype(dtype)


def fused(graph: og.Graph) -> list[str]:
    """List the operators that stay, in order."""
    copy = graph.copy()
    fuse_elementwise(copy)
    return [node.op_type for node in copy.nodes()]


CHAINS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "Add Mul": lambda op, x, y: (x + y) * x,
    "Sub Div": lambda op, x, y: (x - y) / y,
    "Neg Abs Sqrt": lambda op, x, y: op.Sqrt(op.Abs(-x)),
    "Exp Sigmoid": lambda op, x, y: op.Sigmoid(op.Exp(x)),
    "Relu Sigmoid": lambda op, x, y: op.Sigmoid(op.Relu(x)),
    "Reciprocal": lambda op, x, y: op.Reciprocal(op.Reciprocal(x)),
    "Max Min": lambda op, x, y: op.Max(op.Min(x, y), y, x),
    "Pow": lambda op, x, y: x**2 + y**3,
    "Where": lambda op, x, y: op.Where((x > y) & (x <= y + y), x, -y),
    "numbers": lambda op, x, y: 2.5 * x - y / 3,
    "Gelu": lambda op, x, y: op.Gelu(x),
    "Gelu by tanh": lambda op, x, y: op.Gelu(x, approximate="tanh"),
    "Erf": lambda op, x, y: op.Erf(x) * y,
    "LeakyRelu": lambda op, x, y: op.LeakyRelu(x, alpha=0.2),
    "Softsign": lambda op, x, y: op.Softsign(x + y),
}


REFERENCE = {"Gelu": "numpy", "Erf": "numpy"}
"""onnxruntime has no Erf of float64."""


def chain(name: str, dtype: str) -> og.Graph:
    """Build a chain."""
    b = og.Builder()
    x, y = b.input("x", dtype, SHAPE), b.input("y", dtype, SHAPE)
    b.output(CHAINS[name](b.op, x, y) * 1.5, "z")
    return b.build()


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize(("dtype", "within"), [("float32", 1e-5), ("float64", 1e-14)])
def test_values_and_gradients_are_onnxruntimes(name: str, dtype: str, within: float) -> None:
    forward = chain(name, dtype)
    if dtype == "float32":
        assert fused(forward) == [OPERATOR]
    graph, exact = (
        og.vjp(chain(name, t), "z", ["x", "y"], allow_unused=True) for t in (dtype, "float64")
    )
    feeds = {v.name: draw("float32") + k for k, v in enumerate(graph.inputs)}
    found = og.compile(graph, "numba").run({k: a.astype(dtype) for k, a in feeds.items()})
    wide = {k: a.astype("float64") for k, a in feeds.items()}
    for key, expected in og.compile(exact, REFERENCE.get(name, "onnxruntime")).run(wide).items():
        gap = np.abs(found[key] - expected).max()
        assert gap <= within * np.abs(expected).max(), key


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_numbers_go_through(dtype: str) -> None:
    numbers = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1, -1, 3e38], dtype)
    x, y = (a.reshape(-1).repeat(1100) for a in np.meshgrid(numbers, numbers))
    b = og.Builder()
    p, q = b.input("x", dtype, x.shape), b.input("y", dtype, x.shape)
    for name, value in {
        "max": b.op.Max(p, q),
        "min": b.op.Min(p, q),
        "relu": b.op.Relu(p) * 1,
        "where": b.op.Where(p > q, p, q),
        "quotient": p / q + 0,
    }.items():
        b.output(value, name)
    found = og.compile(b.build(), "numba").run({"x": x, "y": y})
    with np.errstate(all="ignore"):
        expected = {
            "max": np.maximum(x, y),
            "min": np.minimum(x, y),
            "relu": np.maximum(x, 0),
            "where": np.where(x > y, x, y),
            "quotient": x / y,
        }
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_what_is_read_elsewhere_stays() -> None:
    b = og.Builder()
    x = b.input("x", "float32", SHAPE)
    middle = b.op.Exp(x) + 1
    b.output(middle, "middle")
    b.output(b.op.Sqrt(middle * x), "y")
    assert fused(b.build()) == [OPERATOR, OPERATOR]
    given = draw("float32")
    found = og.compile(b.build(), "numba").run({"x": abs(given)})
    np.testing.assert_allclose(found["middle"], np.exp(abs(given)) + 1, rtol=1e-6)
    np.testing.assert_allclose(found["y"], np.sqrt(found["middle"] * abs(given)), rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "other", "dtype"),
    [
        ((8, 8), (8, 8), "float32"),  # small
        (SHAPE, (150,), "float32"),  # broadcast
        (SHAPE, SHAPE, "float16"),
        (SHAPE, SHAPE, "int32"),
    ],
)
def test_what_is_left_to_numpy(shape: Any, other: Any, dtype: str) -> None:
    b = og.Builder()
    x, y = b.input("x", dtype, shape), b.input("y", dtype, other)
    b.output((x + y) * y, "z")
    assert fused(b.build()) == ["Add", "Mul"]
    given = {"x": (9 * draw("float64", *shape)).astype(dtype), "y": np.ones(other, dtype)}
    found = og.compile(b.build(), "numba").run(given)["z"]
    np.testing.assert_array_equal(found, given["x"] + given["y"])


def test_sizes_that_run_time_tells() -> None:
    b = og.Builder()
    x, y = b.input("x", "float64", ("n", 3)), b.input("y", "float64", ("n", 3))
    b.output((x + y) * y, "z")
    run = og.compile(b.build(), "numba").run
    for n in (0, 1, 5000):
        a = draw("float64", n, 3) if n else np.empty((0, 3))
        np.testing.assert_array_equal(run({"x": a, "y": a.copy()})["z"], 2 * a * a)


@pytest.mark.parametrize("layout", ["C", "F"])
def test_layouts_in_memory(layout: Any) -> None:
    b = og.Builder()
    x, y = b.input("x", "float32", SHAPE), b.input("y", "float32", SHAPE)
    b.output((x + y) * y, "z")
    first, second = draw("float32"), draw("float32") + 1
    found = og.compile(b.build(), "numba").run(
        {"x": np.array(first, order=layout), "y": second[:, ::-1]}
    )
    np.testing.assert_array_equal(found["z"], (first + second[:, ::-1]) * second[:, ::-1])


def test_what_must_not_be_written_to_is_read() -> None:
    """Arrays of a file that lies in memory, and such as start between two words."""
    b = og.Builder()
    x, y = b.input("x", "float32", SHAPE), b.input("y", "float32", SHAPE)
    b.output((x + y) * y, "z")
    data = draw("float32")
    fixed = np.frombuffer(data.tobytes(), np.float32).reshape(SHAPE)
    shifted = np.frombuffer(b"0" + data.tobytes(), np.float32, offset=1).reshape(SHAPE)
    assert not fixed.flags.writeable and not shifted.flags.aligned
    found = og.compile(b.build(), "numba").run({"x": fixed, "y": shifted})
    np.testing.assert_array_equal(found["z"], (data + data) * data)


def test_chains_in_branches() -> None:
    b = og.Builder()
    x, up = b.input("x", "float32", SHAPE), b.input("up", "bool", ())
    branches = {
        "then_branch": b.subgraph(lambda: x * 2 + 1),
        "else_branch": b.subgraph(lambda: x - 1),
    }
    b.output(b.op.If(up, **branches), "y")
    given = draw("float32")
    run = og.compile(b.build(), "numba").run
    np.testing.assert_array_equal(run({"x": given, "up": np.array(True)})["y"], given * 2 + 1)
    np.testing.assert_array_equal(run({"x": given, "up": np.array(False)})["y"], given - 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sequences_are_none_of_it(dtype: str) -> None:
    b = og.Builder()
    x = b.input("x", dtype, SHAPE)
    parts = b.op.SplitToSequence(x * x + 1, b.constant(np.array([1, 2])))
    b.output(b.op.ConcatFromSequence(b.op.SequenceErase(parts, 0), axis=0) * 2 + 1, "y")
    given = draw(dtype)
    found = og.compile(b.build(), "numba").run({"x": given})["y"]
    np.testing.assert_array_equal(found, (given[1:] * given[1:] + 1) * 2 + 1)


def test_shapes_that_no_type_told() -> None:
    """In the bodies of loops sizes may become others than those of the first round."""
    function = COMPILED[COMPOSITE_DOMAIN, OPERATOR].function
    one, many = np.full((1, 1), 3.0, np.float32), draw("float32", 5, 40)
    for x, y in ((one, many), (many, one), (many[:1], many[:, :1])):
        found = function(np, x, y, lines="v0 = a0 + a1\nv1 = v0 * a1\nreturn v1", numbers=())
        np.testing.assert_array_equal(found, (x + y) * y)
    with pytest.raises(ValueError, match="cannot be broadcast"):
        function(np, many[:2], many[:3], lines="v0 = a0 + a1\nreturn v0", numbers=())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_chains_that_differ_in_numbers_compile_once(dtype: str) -> None:
    numbers = [0.1, 3.0, -0.0, np.inf, np.nan]
    b = og.Builder()
    x = b.input("x", dtype, SHAPE)
    for k, number in enumerate(numbers):
        b.output((x + 1) * b.constant(np.array(number, dtype)), f"y{k}")
    _compile.cache_clear()
    run = og.compile(b.build(), "numba").run
    assert _compile.cache_info().currsize == 1
    given = draw(dtype)
    for found, number in zip(run({"x": given}).values(), numbers, strict=True):
        expected = (given + 1) * np.array(number, dtype)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
