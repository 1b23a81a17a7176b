"""Files that are written are valid, read again as the same graph, and run by stock onnxruntime."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from op_samples import SAMPLES
from op_samples.graphs import cotangents, feeds_of, float_outputs, graph_of, wrt_of
from op_samples.sample import Sample
from written_files import NO_KERNEL, REFUSED, RIGHT, Arrays, judge, run_in_onnxruntime

import onnxgrad as og

SOME = [s for s in SAMPLES if s.onnxruntime][::61]


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("sample", SOME, ids=str)
def test_the_gradient_of_a_sample(sample: Sample, symbolic: bool) -> None:
    """A sample of what `make written` goes through."""
    forward = graph_of(sample, symbolic, np.float32)
    feeds = feeds_of(forward, sample)
    of, wrt = float_outputs(forward), wrt_of(sample)
    feeds |= cotangents(og.compile(forward).run(feeds), of)
    graph = og.vjp(forward, of, wrt, allow_unused=True)
    expected = og.compile(graph).run(feeds)
    verdicts = {
        judge(graph, feeds, expected, opset, functions)
        for opset in (11, 21)
        for functions in (False, True)
    }
    assert verdicts <= {RIGHT, REFUSED, NO_KERNEL}


@pytest.mark.parametrize("opset", [17, 21, 28])
@pytest.mark.parametrize("kind", ["Scan", "Loop"])
def test_a_state_of_symbolic_size_in_a_function(kind: str, opset: int) -> None:
    """s ← tanh(s·e) over the entries e: constants inside its function had each other's names."""
    b = og.Builder("states")
    s, e = b.input("s", "float64", ("q",)), b.input("e", "float64", ("T",))
    state = ("float64", ("q",))
    if kind == "Scan":
        body = b.subgraph(lambda s, e: b.op.Tanh(s * e), state, ("float64", ()))
        y = b.op.Scan(s, e, body=body, num_scan_inputs=1)
    else:
        body = b.subgraph(
            lambda i, keep, s: (keep, b.op.Tanh(s * b.op.Gather(e, i))),
            ("int64", ()),
            ("bool", ()),
            state,
        )
        y = b.op.Loop(b.op.Size(e), None, s, body=body)
    b.output(y, "y")
    graph = og.vjp(b.build(), "y", ["s", "e"])
    feeds = {"s": np.array([0.3, -0.2]), "e": np.array([0.9, 0.7]), "y.grad": np.ones(2)}
    first = np.tanh(feeds["s"] * 0.9)
    last = np.tanh(first * 0.7)
    outer, inner = 1 - last**2, 1 - first**2
    by_e = [(outer * 0.7 * inner * feeds["s"]).sum(), (outer * first).sum()]
    expected = {"y": last, "s.grad": outer * 0.7 * inner * 0.9, "e.grad": np.array(by_e)}
    assert judge(graph, feeds, expected, opset, functions=True) == RIGHT


def test_a_function_that_reads_one_value_twice() -> None:
    """x·x/√mean(x²): RMSNormalization is a function at opset 21"""
    b = og.Builder("twice")
    x = b.input("x", "float32", (2,))
    b.output(b.op.RMSNormalization(x, x, epsilon=0.0), "y")
    data = np.array([0.3, -0.4], np.float32)
    expected = {"y": data**2 / np.float32(np.sqrt(0.125))}
    assert judge(b.build(), {"x": data}, expected, 21, functions=True) == RIGHT


X = np.arange(-12, 12, dtype=np.float32).reshape(2, 3, 4) / 4 + 0.1
ROW, ALL = np.array([0.5, -1.5, 2.0, -0.25], np.float32), np.array([np.inf, -np.inf, 2], np.float32)

SAID_SO: dict[str, tuple[int, list[Any], dict[str, Any], set[str] | None]] = {
    "Flatten": (9, [X], {"axis": -1}, {"Flatten"}),
    "Squeeze": (7, [X[..., :1], np.array([-1])], {}, {"Squeeze"}),
    "Unsqueeze": (10, [X, np.array([-1])], {}, {"Unsqueeze"}),
    "Concat": (7, [X, X], {"axis": -2}, {"Concat"}),
    "ReduceSum": (10, [X, np.array([-1, 0])], {"keepdims": 0}, {"ReduceSum"}),
    "OneHot": (9, [np.array([0, -1]), np.array(3), ROW[:2]], {"axis": -2}, None),
    "Sum": (7, [X, X, ROW], {}, {"Add", "Identity"}),
    "Mean": (7, [X, ROW], {}, {"Add", "Div"}),
    "Max": (7, [X, -X], {}, {"Max"}),
    "Mod": (27, [np.concatenate([X[0, 0], ALL]), np.full(7, -1.5, np.float32)], {}, None),
    "Clip": (9, [ALL], {}, {"Identity"}),
    "Clip2": (9, [X, np.float32(-1), np.float32(2)], {}, {"Clip"}),
}
"""Calls at an older opset, and the operators that say them there, where that matters."""


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("name", SAID_SO)
def test_what_meant_something_else_is_said_otherwise(name: str, symbolic: bool) -> None:
    opset, arrays, attributes, operators = SAID_SO[name]
    op_type = name.rstrip("2")
    b = og.Builder()
    fed = {f"x{k}": a for k, a in enumerate(arrays) if a.dtype == np.float32 and a.ndim}
    shapes = {
        n: [f"{n}_{k}" if symbolic else d for k, d in enumerate(a.shape)] for n, a in fed.items()
    }
    if op_type == "Max":
        shapes["x1"] = shapes["x0"]
    inputs = [
        b.input(f"x{k}", "float32", shapes[f"x{k}"]) if f"x{k}" in fed else b.constant(a)
        for k, a in enumerate(arrays)
    ]
    b.output(getattr(b.op, op_type)(*inputs, **attributes), "y")
    graph = b.build()
    expected = og.compile(graph).run(fed)
    assert judge(graph, fed, expected, opset, functions=False) == RIGHT
    if operators is not None:
        nodes = og.to_onnx(graph, opset).graph.node
        assert {n.op_type for n in nodes} <= operators
        axes = [i for n in nodes for a in n.attribute for i in (a.i, *a.ints)]
        assert min(axes, default=0) >= 0


def test_a_modulus_of_floats_takes_the_sign_of_the_divisor() -> None:
    b = og.Builder()
    b.output(b.op.Mod(b.input("x", "float32", ("N",)), b.input("y", "float32", ("N",))), "z")
    x = np.array([5.3, -5.3, 5.3, -5.3, 3, -3, 2, 0], np.float32)
    y = np.array([2, 2, -2, -2, np.inf, np.inf, -np.inf, -2], np.float32)
    found = run_in_onnxruntime(og.to_onnx(b.build(), 21), {"x": x, "y": y})["z"]
    np.testing.assert_allclose(found, [1.3, 0.7, -0.7, -1.3, 3, np.inf, -np.inf, 0], rtol=1e-5)


NEWER: list[tuple[str, list[Any], dict[str, Any], int, str]] = [
    ("Max", [X, ROW], {}, 7, "before opset 8; opset 8 can"),
    ("Pad", [X, np.array([0, 0, 1, 0, 0, 1])], {"mode": "wrap"}, 18, "'mode' must be 'constant'"),
    ("QuantizeLinear", [X, np.ones(3, np.float32)], {}, 12, "opset 13 can"),
    (
        "Resize",
        [X, None, np.ones(3, np.float32)],
        {"coordinate_transformation_mode": "half_pixel_symmetric"},
        18,
        "opset 19 can",
    ),
    ("ScatterND", [ROW, np.array([[0]]), ROW[:1]], {"reduction": "max"}, 17, "opset 18 can"),
]


@pytest.mark.parametrize(("op_type", "arrays", "attributes", "opset", "reason"), NEWER)
def test_what_an_opset_cannot_say_is_refused(
    op_type: str, arrays: list[Any], attributes: dict[str, Any], opset: int, reason: str
) -> None:
    b = og.Builder()
    x = b.input("x", "float32", arrays[0].shape)
    b.output(getattr(b.op, op_type)(x, *arrays[1:], **attributes), "y")
    graph = b.build()
    with pytest.raises(og.UnsupportedOpError, match=reason):
        og.to_onnx(graph, opset)
    onnx.checker.check_model(og.to_onnx(graph, 21), full_check=True)


def test_branches_of_other_shapes_came_with_opset_11() -> None:
    b = og.Builder()
    x, c = b.input("x", "float32", (2, 3)), b.input("c", "bool", ())
    wide, row = b.subgraph(lambda: x + 0), b.subgraph(lambda: x[0])
    b.output(b.op.Size(b.op.If(c, then_branch=wide, else_branch=row)), "y")
    with pytest.raises(og.UnsupportedOpError, match="If .* opset 11 can"):
        og.to_onnx(b.build(), 10)
    onnx.checker.check_model(og.to_onnx(b.build(), 11), full_check=True)


def squeezed(declared: list[str] | None) -> onnx.ModelProto:
    """Squeeze without axes of (N, 1) at opset 9, whose rank nothing but the file tells."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, declared)
    graph = helper.make_graph([helper.make_node("Squeeze", ["x"], ["y"])], "squeezed", [x], [y])
    opsets = [helper.make_opsetid("", 9)]
    made: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=6)
    return made


def test_a_rank_that_only_the_file_tells() -> None:
    x = np.array([[1.0], [2.0]], np.float32)
    graph = og.load(squeezed(["N"]))
    for opset in (9, 13, 21):
        written = og.to_onnx(graph, opset)
        onnx.checker.check_model(written, full_check=True)
        np.testing.assert_array_equal(run_in_onnxruntime(written, {"x": x})["y"], [1, 2])
    written = og.to_onnx(og.vjp(graph, "y", "x"))
    onnx.checker.check_model(written, full_check=True)
    found = run_in_onnxruntime(written, {"x": x, "y.grad": np.array([3, 4], np.float32)})
    np.testing.assert_array_equal(found["x.grad"], [[3], [4]])


def test_a_rank_that_nothing_tells_is_refused_by_name() -> None:
    graph = og.load(squeezed(None))
    with pytest.raises(og.GraphError, match="output 'y' has no known rank.*shapes="):
        og.to_onnx(graph)
    assert og.compile(graph).run({"x": np.ones((2, 1), np.float32)})["y"].shape == (2,)
    pinned = og.load(squeezed(None), shapes={"N": 2})
    onnx.checker.check_model(og.to_onnx(pinned, 9), full_check=True)


def test_an_input_without_rank_is_refused_by_name() -> None:
    b = og.Builder("unranked")
    x: Any = b.input("x", "float32", None)
    b.output(b.op.ReduceSum(x, keepdims=0), "y")
    with pytest.raises(og.GraphError, match="input 'x' has no known rank"):
        og.to_onnx(b.build())


LOW, HIGH = np.array([-9], np.float16), np.array([9], np.float16)
NOWHERE = np.zeros((1, 1, 3), np.int64)
CHOICES: dict[str, Callable[[Any, og.Tensor], og.Tensor]] = {
    "Max of two": lambda op, x: op.Max(x, LOW),
    "Max of three": lambda op, x: op.Max(LOW, x, LOW * 2),
    "Min of four": lambda op, x: op.Min(HIGH, HIGH, x, HIGH * 2),
    "ReduceMax": lambda op, x: op.ReduceMax(x, [0, 1]),
    "ReduceMin": lambda op, x: op.ReduceMin(x, [0], keepdims=0),
    "GlobalMaxPool": lambda op, x: op.GlobalMaxPool(op.Transpose(x, perm=[2, 1, 0])),
    "MaxPool": lambda op, x: op.MaxPool(x, kernel_shape=[1]),
    "TopK": lambda op, x: op.TopK(x, [3], outputs=2)[0],
    "Clip": lambda op, x: op.Clip(x, LOW[0], HIGH[0]),
    "ScatterElements max": lambda op, x: op.ScatterElements(
        x, NOWHERE, np.full((1, 1, 3), -9, np.float16), reduction="max"
    ),
    "ScatterElements min": lambda op, x: op.ScatterElements(
        np.full((1, 1, 3), 9, np.float16), NOWHERE + [0, 1, 2], x, reduction="min", axis=2
    ),
}
"""Ways to choose that all choose x."""


@pytest.mark.parametrize("choice", CHOICES)
def test_what_is_chosen_in_half_precision_has_all_the_gradient(choice: str) -> None:
    """onnxruntime computes x + 0.1 in float32 and hands it on unrounded to some of its readers."""
    b = og.Builder("chosen")
    x = b.input("x", "float16", (1, 1, 3))
    chosen = b.op.Cast(CHOICES[choice](b.op, x + 0.1), to="float32")
    b.output(b.op.ReduceSum(chosen, keepdims=0), "y")
    graph = og.vjp(b.build(), "y", "x")
    x_fed = np.array([[[0.2, -1.6, 0.7]]], np.float16)
    feeds: Arrays = {"x": x_fed, "y.grad": np.ones((), np.float32)}
    found = run_in_onnxruntime(og.to_onnx(graph), feeds)["x.grad"]
    np.testing.assert_array_equal(found, np.ones((1, 1, 3)))
