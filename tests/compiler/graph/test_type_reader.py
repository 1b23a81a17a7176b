"""Which names of sizes in a file prove that two sizes are equal."""

from time import perf_counter
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from written_files import run_in_onnxruntime

import onnxgrad as og
from onnxgrad.compiler.graph.dims import is_name, is_sum, substitute

NO_NAMES = [
    "", "?", "*", "-1", "3", "None", "none", "unk", "Unknown", "unk__4", "dynamic", "NaN", "_",
    "DynamicDimension.0", "batch size", "lambda", "floor(N/2)", "N/2", "größe", "auto", "None_1",
    "Unknown_3", "not_set", "free",
]  # fmt: skip


def model(op_type: str, **inputs: list[Any]) -> onnx.ModelProto:
    infos = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, dims) for n, dims in inputs.items()
    ]
    y = helper.make_empty_tensor_value_info("y")
    node = helper.make_node(op_type, list(inputs), ["y"])
    made = helper.make_graph([node], "dims", infos, [y])
    opsets = [helper.make_opsetid("", 17)]
    proto: onnx.ModelProto = helper.make_model(made, opset_imports=opsets, ir_version=8)
    return proto


@pytest.mark.parametrize("text", NO_NAMES)
def test_what_is_no_name_proves_nothing(text: str) -> None:
    """Also where it stands twice: x of 3, z of 1, ∂Σy/∂z = Σx."""
    graph = og.vjp(og.load(model("Mul", x=[text], z=[text])), "y", ["x", "z"])
    feeds = {"x": np.array([0, 1, 2], np.float32), "z": np.array([5], np.float32)}
    feeds["y.grad"] = np.ones(3, np.float32)
    assert og.compile(graph).run(feeds)["z.grad"] == [3]
    written = og.to_onnx(graph)
    onnx.checker.check_model(written, full_check=True)
    found = run_in_onnxruntime(written, feeds)
    np.testing.assert_array_equal(found["z.grad"], [3])
    np.testing.assert_array_equal(found["x.grad"], [5, 5, 5])


def test_an_image_may_be_wider_than_high() -> None:
    graph = og.load(model("Relu", image=["?", 3, "?", "?"]))
    image = np.ones((2, 3, 4, 8), np.float32)
    np.testing.assert_array_equal(og.compile(graph)(image=image)["y"], image)


def test_a_builder_takes_them_as_unknown_sizes_too() -> None:
    b = og.Builder()
    x, z = (b.input(name, "float32", ("?",)) for name in "xz")
    b.output(x * z, "y")
    feeds = {"x": np.array([0, 1, 2], np.float32), "z": np.array([5], np.float32)}
    found = og.compile(og.vjp(b.build(), "y", "z")).run({**feeds, "y.grad": np.ones(3, "f")})
    assert found["z.grad"] == [3]


def test_a_name_is_one_size_and_what_is_fed_must_have_it() -> None:
    graph = og.vjp(og.load(model("Mul", x=["batch"], z=["batch"])), "y", ["x", "z"])
    assert not {n.op_type for n in graph.nodes()} & {"ReduceSum"}
    with pytest.raises(og.GraphError, match="the dimension batch is 3 in 'x', 1 in 'z'"):
        og.compile(graph).run(
            {"x": np.ones(3, "f"), "z": np.ones(1, "f"), "y.grad": np.ones(3, "f")}
        )


def test_elements_of_a_sequence_have_sizes_of_their_own() -> None:
    """a + b of elements that the file calls tensors of N, one of 1, the other of 3."""
    element = helper.make_tensor_type_proto(TensorProto.FLOAT, ["N"])
    s = helper.make_value_info("s", helper.make_sequence_type_proto(element))
    kept = [helper.make_tensor(f"k{k}", TensorProto.INT64, [], [k]) for k in (0, 1)]
    nodes = [helper.make_node("SequenceAt", ["s", f"k{k}"], [f"e{k}"]) for k in (0, 1)]
    nodes.append(helper.make_node("Add", ["e0", "e1"], ["y"]))
    y = helper.make_empty_tensor_value_info("y")
    opsets = [helper.make_opsetid("", 17)]
    made = helper.make_model(helper.make_graph(nodes, "s", [s], [y], kept), opset_imports=opsets)
    graph = og.compile(og.vjp(og.load(made), "y", "s"))
    fed: dict[str, Any] = {"s": [np.ones(1, "f"), np.ones(3, "f")], "y.grad": np.ones(3, "f")}
    first, second = graph.run(fed)["s.grad"]
    assert first == [3] and second.tolist() == [1, 1, 1]


def test_sums_of_names_are_arithmetic() -> None:
    """A mask of past + seq fits what Concat makes of past and seq, and no other."""
    infos = {"past": ["past"], "x": ["seq"], "mask": ["past + seq"]}
    made = model("Concat", **infos)
    made.graph.node[0].CopyFrom(helper.make_node("Concat", ["past", "x"], ["all"], axis=0))
    made.graph.node.append(helper.make_node("Mul", ["all", "mask"], ["y"]))
    graph = og.load(made)
    assert graph.find("mask").shape == graph.find("all").shape == ("seq+past",)
    feeds = {n: np.ones(k, np.float32) for n, k in {"past": 2, "x": 3, "mask": 5}.items()}
    compiled = og.compile(graph)
    assert compiled.run(feeds)["y"].shape == (5,)
    with pytest.raises(og.GraphError, match="'mask' is 1; it must be 5"):
        compiled.run({**feeds, "mask": np.ones(1, np.float32)})
    assert og.load(made, shapes={"past": 4}).find("mask").shape == ("seq+4",)
    assert og.load(made, shapes={"past": 4, "seq": 1}).find("mask").shape == (5,)


def test_a_sum_of_names_that_no_input_has_is_no_name() -> None:
    """batch-size is no difference where there is neither batch nor size."""
    graph = og.load(model("Mul", x=["batch-size"], z=["batch-size"]))
    x, z = graph.inputs
    assert x.shape != z.shape


@pytest.mark.parametrize("text", ["N", "past_sequence_length", "s0", "_N", "batch"])
def test_names(text: str) -> None:
    assert is_name(text) and is_sum(text)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("seq + past", "seq+past"),
        ("past + seq", "seq+past"),
        ("2*s0 - 1", "2*s0-1"),
        ("((s0 - 1)//2) + 1", "((s0 + 1) // 2)"),
    ],
)
def test_sums_have_one_spelling(text: str, spelling: str) -> None:
    assert is_sum(text)
    assert substitute(text, {}) == substitute(spelling, {})


def test_sizes_in_place_of_names() -> None:
    assert substitute("2*s0 + s1", {"s0": 3, "s1": 4}) == 10
    assert substitute("(s0 + 1)//2", {"s0": 4}) == 2
    assert substitute("(s0 + s1)//2", {"s1": "M"}) == substitute("(M + s0)//2", {})


@pytest.mark.parametrize(
    "text", ["max(a, b)", "a**2", "a/2", "a % 2", "1if a", "a//0", "a.b", "()"]
)
def test_what_is_no_sum(text: str) -> None:
    assert not is_sum(text)


@pytest.mark.parametrize(
    "text",
    [
        "floor(floor(floor(floor(DynamicDimension.1/2 - 1/2)/2)/2)/2) + 1",
        "a_size_of_one_long_name_as_exporters_write_it_0123456789.dim_0",
        "many_names + many_names + many_names + many_names + many_names.0",
    ],
)
def test_what_is_no_sum_is_known_at_once(text: str) -> None:
    start = perf_counter()
    assert not is_sum(text)
    assert perf_counter() - start < 1  # all ways to part its names are 2**30
