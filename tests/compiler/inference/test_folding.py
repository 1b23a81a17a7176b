"""What is known before a graph runs is what every runtime gives, and nothing else is known.

`make folding` draws a hundred thousand calls where this draws a few hundred.
"""

from typing import Any

import numpy as np
import pytest
from exact_calls import DRAWN, Call
from folded_and_fed import disagreements, feeds_of, graph_of, is_folded, on_numpy, on_onnxruntime

import onnxgrad as og
from onnxgrad.compiler.inference.folding import EXACT, LIMIT

CALLS = 12


@pytest.mark.parametrize("op", EXACT)
def test_known_is_fed(op: str) -> None:
    """Operators must be drawn here, on all their dtypes, before they are folded."""
    random = np.random.default_rng([1, *op.encode()])
    calls = [DRAWN[op](random, op) for _ in range(CALLS)]
    assert [(str(c), d) for c in calls if (d := disagreements(c))] == []
    assert any(is_folded(c) for c in calls)


def floats(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    "call",
    [
        Call("GlobalMaxPool", [floats(1, 3, 4)]),
        Call("LpNormalization", [floats(2, 3)], {"p": 1}),
        Call("MaxPool", [floats(1, 1, 5, 5)], {"kernel_shape": [2, 2], "dilations": [2, 2]}),
        Call("LRN", [floats(1, 4, 2, 2)], {"size": 3}),
        Call("ConvTranspose", [floats(1, 4, 3, 3), floats(4, 1, 2, 2)], {"group": 2}),
        Call("GRU", [floats(3, 2, 4), floats(1, 9, 4), floats(1, 9, 3)], {"hidden_size": 3}),
        Call("Slice", [np.arange(4), *(np.array([n]) for n in (-9, -10, 0, -1))]),
    ],
    ids=str,
)
def test_what_onnx_reference_gets_wrong(call: Call) -> None:
    every = range(len(call.inputs))
    known, stock = on_numpy(call, []), on_onnxruntime(call, every)
    assert known is not None and stock is not None
    np.testing.assert_allclose(known[0], stock[0], rtol=1e-5, atol=1e-6)


def test_the_shape_of_a_global_pool() -> None:
    graph = graph_of(Call("GlobalMaxPool", [floats(1, 3, 4)]))
    assert graph.outputs[0].shape == (1, 3, 1)
    assert og.compile(graph).run({})["y0"].shape == (1, 3, 1)


OPEN = [
    Call("Div", [np.array([1]), np.array([0])]),
    Call("Mod", [np.array([1]), np.array([0])]),
    Call("Cast", [np.array([np.nan])], {"to": "int32"}),
    Call("Cast", [np.array([2.0**31])], {"to": "int32"}),
    Call("Cast", [np.array([-1.0])], {"to": "uint8"}),
    Call("Cast", [np.array([1.0])], {"to": "float8e4m3fn"}),
    Call("Max", [np.array([np.nan]), np.array([1.0])]),
    Call("ReduceSum", [np.array([1e20, 1.0, -1e20])]),
    Call("ReduceProd", [np.array([[2**40, 2**40, 0]])]),
    Call("ScatterElements", [np.zeros(3), np.array([1, 1]), np.array([1.0, 2.0])]),
    Call("Pad", [np.arange(3), np.array([5, 0])], {"mode": "reflect"}),
    Call("Exp", [np.array([1.0])]),
    Call("MatMul", [np.eye(2), np.eye(2)]),
]


@pytest.mark.parametrize("call", OPEN, ids=str)
def test_what_runtimes_may_choose_is_left_to_them(call: Call) -> None:
    assert not is_folded(call)


def test_parameters_are_not_folded() -> None:
    """Their numbers change when they are trained."""
    b = og.Builder("parameter")
    b.output(b.op.Add(b.parameter("w", np.ones(2, np.float32)), 1), "y")
    assert b.build().outputs[0].constant is None


def test_large_results_are_not_folded() -> None:
    for size, folded in ((LIMIT, True), (LIMIT + 1, False)):
        assert is_folded(Call("ConstantOfShape", [np.array([size])])) is folded


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_one_text_is_a_tensor(backend: str) -> None:
    call = Call("Gather", [np.array(["a", "b"], object), np.array(1)])
    for fed in ([], [0, 1]):
        graph = graph_of(call, fed)
        results: Any = og.compile(graph, backend).run(feeds_of(graph, call))
        assert results["y0"].shape == () and results["y0"].item() == "b"
