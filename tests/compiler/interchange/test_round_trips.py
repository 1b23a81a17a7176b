"""Models in and out: every opset, every form of storage, and what must survive."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_suite import DRAWN, Case, load_cases

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.standard.verifier import verify

pytestmark = pytest.mark.filterwarnings("ignore")  # the suite's models overflow on purpose

ABOVE_21 = ("BitCast", "BitShift", "Cast", "DequantizeLinear", "QuantizeLinear", "TensorScatter")
"""Operators of the suite that are newer than opset 21, or take types there that are newer."""


def outputs_of(graph: Graph, inputs: list[Any]) -> list[Any]:
    names = [v.name for v in graph.inputs]
    results = og.compile(graph).run(dict(zip(names, inputs, strict=False)))
    return [results[v.name] for v in graph.outputs]


def assert_same(actual: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            assert_same(a, b)
    elif expected is None or np.asarray(expected).dtype.kind in "OSU":
        np.testing.assert_array_equal(actual, expected)
    else:
        assert actual.dtype == expected.dtype and actual.shape == expected.shape
        a, b = (np.asarray(v).astype(np.complex128) for v in (actual, expected))
        tolerance = 2e-2 if expected.dtype.itemsize <= 2 else 1e-5
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def round_trip(case: Case, opset: int) -> Iterator[tuple[list[Any], list[Any]]]:
    """Import, verify, export, import; yield what both graphs give."""
    model = case.model()
    graph = og.load(model)
    verify(graph)
    exported = og.to_onnx(graph, opset)
    onnx.checker.check_model(exported)
    again = og.load(exported.SerializeToString())
    verify(again)
    assert [v.name for v in again.inputs] == [v.name for v in graph.inputs]
    assert [v.name for v in again.outputs] == [v.name for v in graph.outputs]
    for inputs, _ in case.data(model):
        yield outputs_of(graph, inputs), outputs_of(again, inputs)


@pytest.mark.parametrize("opset", [13, 21, 28])
def test_what_is_written_computes_the_same(opset: int) -> None:
    """A sample of ONNX's suite."""
    refused: set[str] = set()
    for case in load_cases()[opset % 40 :: 40]:
        if case.name.startswith(DRAWN) or case.kind == "light":
            continue
        try:
            for before, after in round_trip(case, opset):
                assert_same(after, before)
        except og.UnsupportedOpError as error:
            refused.update(error.ops)
    assert opset == 13 or refused <= (set(ABOVE_21) if opset == 21 else set())


@pytest.mark.parametrize("name", ["light_resnet50", "light_inception_v1"])
def test_old_models_keep_their_names(name: str) -> None:
    folder = Path(onnx.__file__).parent / "backend/test/data/light"
    model = onnx.load(folder / f"{name}.onnx")
    graph = og.load(model)
    names = {n for node in model.graph.node for n in node.output}
    assert names <= {v.name for v in graph.values()}
    weights = {i.name for i in model.graph.initializer}
    assert [v.name for v in graph.inputs] == [
        i.name for i in model.graph.input if i.name not in weights
    ]


def single(op_type: str, inputs: dict[str, Any], opset: int, **attributes: Any) -> onnx.ModelProto:
    """Make a model of one node of an old opset, its inputs fed."""
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in inputs.items()
    ]
    node = helper.make_node(op_type, list(inputs), ["y"], **attributes)
    graph = helper.make_graph([node], "old", infos, [helper.make_empty_tensor_value_info("y")])
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
    )
    return made


def ramp(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) - 3


def softmax_of_rows(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def test_the_suite_reads_at_every_opset_that_has_its_operators() -> None:
    """Say a sample of the suite at each older opset its nodes exist at, and read that."""
    tried = 0
    for case in load_cases()[::80]:
        if case.kind != "node" or case.name.startswith(DRAWN):
            continue
        graph = og.load(case.model())
        for opset in range(7, 28, 3):
            try:
                older = og.to_onnx(graph, opset)
            except og.UnsupportedOpError:
                continue
            og.load(older)
            tried += 1
    assert tried > 20


B = og.Builder


def two_layers() -> Graph:
    """x @ w + c through an activation, and a constant that is not trained."""
    b = B("net")
    x = b.input("x", "float32", ("N", 3))
    w = b.parameter("w", np.ones((3, 300), np.float32))
    scale = b.constant(np.full(300, 2.0, np.float32), "scale")
    b.output(b.op.Relu(x @ w) * scale, "y")
    graph = b.build()
    graph.metadata["author"], graph.doc = "me", "two layers"
    return graph


def describe(graph: Graph) -> Any:
    """Say a graph's structure with names, but for those of made-up dimensions."""

    def value(v: Value | None) -> Any:
        if v is None:
            return None
        held = None if v.constant is None else (v.constant.dtype.str, v.constant.tobytes())
        dims = [d for d in v.shape or () if "unk__" not in str(d)]
        return v.name, str(v.dtype), dims, held, v.parameter

    def plain(attribute: Any) -> Any:
        if isinstance(attribute, Graph):
            return describe(attribute)
        return attribute.tolist() if isinstance(attribute, np.ndarray) else attribute

    nodes = [
        (
            n.op_type,
            [value(v) for v in n.inputs],
            [value(v) for v in n.outputs],
            {k: plain(a) for k, a in n.attributes.items()},
        )
        for n in graph.nodes()
    ]
    ends = [[value(v) for v in end] for end in (graph.inputs, graph.outputs)]
    return nodes, ends, graph.metadata, graph.doc


def test_metadata_parameters_and_symbols_survive() -> None:
    graph = two_layers()
    assert describe(og.load(og.to_onnx(graph, 28))) == describe(graph)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.data())
def test_reading_what_was_written_gives_the_graph(data: st.DataObject) -> None:
    b = B("random")
    values = [b.input("x", "float32", ("N", 4)), b.parameter("w", np.ones((4,), np.float32))]
    for k in range(data.draw(st.integers(1, 8))):
        pick = st.sampled_from(values)
        op = data.draw(st.sampled_from(["Add", "Mul", "Relu", "Softmax", "Where", "If"]))
        if op in ("Add", "Mul"):
            y = b.op.__getattr__(op)(values[0] if k == 0 else data.draw(pick), data.draw(pick))
        elif op == "Where":
            y = b.op.Where(b.op.Greater(data.draw(pick), 0.5), data.draw(pick), data.draw(pick))
        elif op == "Softmax":
            y = b.op.Softmax(data.draw(pick), axis=-1)
        else:
            y = b.op.Relu(data.draw(pick))
        values.append(y)
    b.output(values[-1], "y")
    graph = b.build()
    og.to_onnx(graph, 21)
    once = og.load(og.to_onnx(graph, 28))
    assert describe(og.load(og.to_onnx(once, 28))) == describe(once)
    assert [n.op_type for n in once.nodes()] == [
        n.op_type for n in graph.nodes() if n in graph.upstream(graph.outputs)
    ]


@pytest.mark.parametrize("apart", [True, False])
def test_weights_in_a_file_of_their_own(tmp_path: Path, apart: bool) -> None:
    graph = two_layers()
    path = tmp_path / "net.onnx"
    og.save(graph, path, external_data=apart)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "net.onnx.data"][: 1 + apart]
    x = np.ones((2, 3), np.float32)
    assert_same(outputs_of(og.load(path), [x]), outputs_of(graph, [x]))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert_same(session.run(None, {"x": x}), outputs_of(graph, [x]))


def test_large_weights_go_apart_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxgrad.files.PROTOBUF_LIMIT", 1000)
    og.save(two_layers(), tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    assert model.ByteSize() < 1000 and (tmp_path / "net.onnx.data").stat().st_size >= 3600


def test_functions_of_the_model_are_inlined() -> None:
    """A function of an older opset, with an attribute, an omitted input and a subgraph."""
    opsets = [helper.make_opsetid("", 9)]
    leak = helper.make_node("LeakyRelu", ["a"], ["b"])
    leak.attribute.append(onnx.AttributeProto(name="alpha", ref_attr_name="slope", type="FLOAT"))
    soft = helper.make_node("Softmax", ["b"], ["c"])
    body = helper.make_function(
        "mine", "F", ["a", "unused"], ["c"], [leak, soft], opsets, ["slope"]
    )
    call = helper.make_node("F", ["x"], ["y"], "call", domain="mine", slope=0.5)
    x = ramp(2, 3, 4)
    made = single("Relu", {"x": x}, 21)
    made.graph.node[0].CopyFrom(call)
    made.functions.append(body)
    made.opset_import.append(helper.make_opsetid("mine", 1))
    graph = og.load(made)
    assert "call/b" in {v.name for v in graph.values()}
    flat = np.where(x < 0, x / 2, x).reshape(2, 12)
    assert_same(outputs_of(graph, [x]), [softmax_of_rows(flat).reshape(x.shape)])


def test_sparse_initializers_are_filled_up() -> None:
    values = numpy_helper.from_array(np.array([2.0, 3.0], np.float32), "w")
    indices = numpy_helper.from_array(np.array([1, 3]), "w_indices")
    x = np.ones(4, np.float32)
    made = single("Relu", {"x": x}, 21)
    made.graph.node[0].CopyFrom(helper.make_node("Mul", ["x", "w"], ["y"]))
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4]))
    assert_same(outputs_of(og.load(made), [x]), [np.array([0, 2, 0, 3], np.float32)])


def test_branches_may_use_the_same_names() -> None:
    info = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])
    branches = [
        helper.make_graph([helper.make_node(op, ["x"], ["b"])], op, [], [info])
        for op in ("Relu", "Neg")
    ]
    node = helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    x = np.array([-1.0, 1.0], np.float32)
    made = single("Relu", {"c": np.array(False), "x": x}, 21)
    made.graph.node[0].CopyFrom(node)
    assert_same(outputs_of(og.load(made), [np.array(False), x]), [-x])


def test_names_of_dimensions_like_ours_stay_apart() -> None:
    """unk__1 of a file is not the first name that we make up."""
    made = single("Relu", {"x": ramp(2, 3)}, 21)
    for dim, name in zip(made.graph.input[0].type.tensor_type.shape.dim, "ab", strict=True):
        dim.Clear()
        dim.dim_param = f"unk__{name}"
    (x,) = og.load(made).inputs
    assert x.shape is not None and len(set(x.shape)) == 2 and "unk__a" not in x.shape


def test_functions_stay_functions() -> None:
    """One for each distinct call, at opset 21, and the same numbers in onnxruntime."""
    b = B("net")
    x = b.input("x", "float32", ("N", 6))
    y = b.op.Gelu(b.op.RMSNormalization(b.op.Gelu(x), np.ones(6, np.float32)))
    b.output(b.op.ReduceSum(b.op.Mul(b.op.Swish(y), y), keepdims=0), "loss")
    graph = og.grad(b.build(), of="loss", wrt="x")
    model = og.to_onnx(graph, functions=True)
    onnx.checker.check_model(model, full_check=True)
    names = [f.name for f in model.functions]
    assert "GeluGrad" in names and "RMSNormalization" in names and len(names) == len(set(names))
    calls = [n.op_type for n in model.graph.node if n.domain == "onnxgrad"]
    assert set(calls) == set(names) and calls.count("GeluGrad") == 2
    feeds = [ramp(4, 6) / 9]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    plain = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    expected = plain.run(None, {"x": feeds[0]})
    assert_same(session.run(None, {"x": feeds[0]}), expected)
    assert_same(outputs_of(og.load(model), feeds), expected)


@pytest.mark.parametrize(("op_type", "opset"), [("Slice", 10), ("Squeeze", 9)])
def test_sizes_that_onnx_inferred_wrongly_are_not_believed(op_type: str, opset: int) -> None:
    """Of old calls with symbolic sizes the file says that nothing is cut off, or squeezed away."""
    held = {"start": [1], "end": [2], "axes": [0]} if op_type == "Slice" else {}
    nodes = [
        helper.make_node(op_type, ["x", *held], ["part"]),
        helper.make_node("Add", ["part", "x"], ["y"]),
    ]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["A", "B"]) for n in ("x", "y")]
    kept = [numpy_helper.from_array(np.array(v), n) for n, v in held.items()]
    made = helper.make_graph(nodes, "old", info[:1], info[1:], kept)
    opsets = [helper.make_opsetid("", opset)]
    model = onnx.shape_inference.infer_shapes(
        helper.make_model(made, opset_imports=opsets, ir_version=6)
    )
    x = np.arange(6, dtype=np.float32).reshape((3, 2) if op_type == "Slice" else (6, 1))
    seed = np.ones_like(x) if op_type == "Slice" else np.ones((6, 6), np.float32)
    found = og.compile(og.vjp(og.load(model), "y", "x")).run({"x": x, "y.grad": seed})
    if op_type == "Slice":
        expected = np.array([[1, 1], [4, 4], [1, 1]])  # the row that is cut is added to each
    else:
        expected = np.full((6, 1), 12)
    np.testing.assert_array_equal(found["x.grad"], expected)


def test_stale_sizes_in_a_file_are_not_believed() -> None:
    """A tool made the batch symbolic and left the old one, 1, in the middle of the model."""
    nodes = [helper.make_node("Exp", ["x"], ["a"]), helper.make_node("Reshape", ["a", "s"], ["b"])]
    nodes += [
        helper.make_node("Mul", ["b", "w"], ["c"]),
        helper.make_node("ReduceSum", ["c"], ["y"]),
    ]
    stale = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3]) for n in "abc"]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
    s = helper.make_tensor_value_info("s", TensorProto.INT64, [2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])
    w = numpy_helper.from_array(np.ones((1, 3), np.float32), "w")
    made = helper.make_graph(nodes, "stale", [x, s], [y], [w], value_info=stale)
    graph = og.vjp(og.load(helper.make_model(made)), "y", "w")
    feeds = {"x": np.zeros((4, 3), np.float32), "s": np.array([4, 3])}
    found = og.compile(graph).run({**feeds, "y.grad": np.ones((1, 1), np.float32)})
    np.testing.assert_array_equal(found["w.grad"], [[4, 4, 4]])


def test_a_name_in_a_file_for_two_sizes_is_not_believed() -> None:
    """The file says of x[mask] that it has as many rows as x."""
    nodes = [
        helper.make_node("NonZero", ["mask"], ["i"]),
        helper.make_node("Transpose", ["i"], ["k"]),
    ]
    nodes.append(helper.make_node("GatherND", ["x", "k"], ["a"]))
    nodes.append(helper.make_node("Mul", ["a", "w"], ["b"]))
    nodes.append(helper.make_node("ReduceSum", ["b"], ["y"], keepdims=0))
    floats: dict[str, list[str | int | None]] = {
        "x": ["N", 3],
        "w": ["N", 3],
        "a": ["N", 3],
        "y": [],
    }
    x, w, a, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in floats.items()
    )
    mask = helper.make_tensor_value_info("mask", TensorProto.BOOL, ["N"])
    made = helper.make_model(helper.make_graph(nodes, "mask", [x, mask, w], [y], value_info=[a]))
    graph = og.grad(og.load(made), "y", ["x", "w"])
    feeds = {"x": np.full((2, 3), 2, np.float32), "w": np.ones((2, 3), np.float32)}
    found = og.compile(graph).run({**feeds, "mask": np.array([False, True])})
    np.testing.assert_array_equal(found["w.grad"], [[2, 2, 2], [2, 2, 2]])
    np.testing.assert_array_equal(found["x.grad"], [[0, 0, 0], [2, 2, 2]])
