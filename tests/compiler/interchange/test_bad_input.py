"""Files that are wrong: each gives one clear error of ours that names the thing."""

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import onnxgrad as og

X = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)


def model(
    *nodes: onnx.NodeProto, opset: int = 21, ir_version: int = 10, **parts: Any
) -> onnx.ModelProto:
    """Make a model of x: float32[N, 3] → y."""
    graph = helper.make_graph(list(nodes), "net", parts.pop("inputs", [X]), [Y], **parts)
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version
    )
    return made


def weight(name: str, shape: tuple[int, ...] = (3,)) -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


RELU = helper.make_node("Relu", ["x"], ["y"], "act")


def truncated() -> bytes:
    return model(RELU).SerializeToString()[:-40]


def cycle() -> onnx.ModelProto:
    return model(
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    )


def deep() -> onnx.ModelProto:
    """Twenty-five branches inside each other, in the innermost one an unknown value."""
    inner = helper.make_graph([helper.make_node("Relu", ["nowhere"], ["z"])], "g", [], [Y])
    inner.output[0].name = "z"
    for _ in range(25):
        node = helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([node], "g", [], [Y])
        inner.output[0].name = "z"
        if inner.ByteSize() > 2**16:
            break
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    return model(node, inputs=[X, condition])


def damaged_weight() -> onnx.ModelProto:
    tensor = weight("w")
    tensor.raw_data = tensor.raw_data[:-1]
    return model(helper.make_node("Add", ["x", "w"], ["y"]), initializer=[tensor])


def huge_weight() -> onnx.ModelProto:
    tensor = weight("w")
    tensor.dims[:] = [2**40, 2**40]
    return model(helper.make_node("Add", ["x", "w"], ["y"]), initializer=[tensor])


def huge_sparse_weight() -> onnx.ModelProto:
    values = numpy_helper.from_array(np.ones(1, np.float32), "w")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "i")
    sparse = helper.make_sparse_tensor(values, indices, [2**40])
    node = helper.make_node("Add", ["x", "w"], ["y"])
    return model(node, sparse_initializer=[sparse])


def external(location: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return model(helper.make_node("Add", ["x", "w"], ["y"]), initializer=[tensor])


def recursive_function() -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("mine", 1)]
    call = helper.make_node("F", ["a"], ["b"], domain="mine")
    made = model(helper.make_node("F", ["x"], ["y"], domain="mine"))
    made.opset_import.append(opsets[1])
    made.functions.append(helper.make_function("mine", "F", ["a"], ["b"], [call], opsets))
    return made


def branches(outputs: int) -> onnx.ModelProto:
    """An If of one output whose branches have several."""
    relu = [helper.make_node("Relu", ["x"], [f"z{k}"]) for k in range(outputs)]
    results = [helper.make_tensor_value_info(f"z{k}", TensorProto.FLOAT, None) for k in range(2)]
    branch = helper.make_graph(relu, "g", [], results[:outputs])
    other = onnx.GraphProto()
    other.CopyFrom(branch)
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=other)
    return model(node, inputs=[X, condition])


def text_that_is_none() -> onnx.ModelProto:
    """A graph and a description whose names are not UTF-8."""
    content = model(RELU, doc_string="description").SerializeToString()
    return onnx.ModelProto.FromString(content.replace(b"description", b"descripti\x95n"))


def wrong_attribute() -> onnx.ModelProto:
    node = helper.make_node("Softmax", ["x"], ["y"])
    node.attribute.append(helper.make_attribute("axis", "last"))
    return model(node)


CASES: list[tuple[Callable[[], Any], str]] = [
    (truncated, "truncated"),
    (lambda: b"", "no graph"),
    (lambda: b"\x00garbage", "not an ONNX model"),
    (lambda: onnx.ModelProto(), "no graph"),
    (lambda: 5, "cannot load a model from int"),
    (cycle, "the nodes form a cycle through 'b' → 'a'"),
    (deep, "'nowhere'"),
    (damaged_weight, "tensor 'w' is damaged"),
    (huge_weight, "tensor 'w' is damaged"),
    (huge_sparse_weight, "'w' of shape .* is too large"),
    (lambda: external("w.bin"), "'w' lies in another file; load the model by its path"),
    (recursive_function, "function 'F' calls itself"),
    (lambda: branches(2), "If has 2 outputs here, asked for 1"),
    (wrong_attribute, "Softmax.*attribute 'axis'"),
    (lambda: model(RELU, opset=29), "ai.onnx 29; onnxgrad knows it up to 28"),
    (lambda: model(RELU, opset=0), "version 0 of ai.onnx"),
    (lambda: model(helper.make_node("Relu", ["q"], ["y"])), "'q', which nothing computes"),
    (lambda: model(helper.make_node("Relu", ["x"], ["z"])), "nothing computes the output 'y'"),
    (lambda: model(RELU, RELU), "'y' is computed twice"),
    (lambda: model(helper.make_node("Relu", ["x"], ["x"])), "'x' is computed twice"),
    (lambda: model(RELU, initializer=[weight("w"), weight("w")]), "two initializers.* 'w'"),
    (lambda: model(RELU, inputs=[X, X]), "'x' is used twice"),
    (lambda: model(helper.make_node("Relu", ["x", "x"], ["y"])), "Relu takes 1 input, got 2"),
    (lambda: model(helper.make_node("Relu", ["x"], ["y"], alpha=1.0)), "no attribute 'alpha'"),
    (lambda: model(helper.make_node("Relu", ["x"], ["y", "z"])), "Relu has 1 output, asked for 2"),
    (lambda: model(helper.make_node("Mod", ["x"], ["y"])), "Mod takes 2 inputs, got 1"),
    (lambda: model(helper.make_node("Concat", ["x"], ["y"])), "Concat needs the attribute 'axis'"),
    (lambda: model(helper.make_node("Constant", [], ["y"])), "Constant has one attribute"),
]


@pytest.mark.parametrize(("make", "message"), CASES)
def test_one_clear_error(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(og.OnnxgradError, match=message):
        og.load(make())


def test_files_of_other_formats_say_what_they_are(tmp_path: Path) -> None:
    content = model(RELU).SerializeToString()
    original, saved = tmp_path / "model.onnx", tmp_path / "model.ort"
    original.write_bytes(content)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(saved)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(str(original), options, providers=["CPUExecutionProvider"])
    pointer, packed, archive = (tmp_path / n for n in ("pointer.onnx", "model.gz", "model.zip"))
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    packed.write_bytes(gzip.compress(content))
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("model.onnx", content)
    told = {saved: "onnxruntime's own format", pointer: "git lfs pull", packed: "gunzip"}
    for path, message in {**told, archive: "zip archive"}.items():
        with pytest.raises(og.ModelFileError, match=f"{path.name}: this .*{message}"):
            og.load(path)


def test_text_that_is_none_is_read_and_written() -> None:
    assert og.load(og.to_onnx(og.load(text_that_is_none()))).outputs


def test_the_error_names_the_node() -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], "dense_3")
    with pytest.raises(og.GraphError, match=r"^in the node 'dense_3' \(MatMul\): MatMul"):
        og.load(model(node, initializer=[weight("w", (4, 2))]))


def test_all_unknown_operators_at_once() -> None:
    made = model(
        helper.make_node("Foo", ["x"], ["a"]),
        helper.make_node("FusedGelu", ["a"], ["b"], domain="com.microsoft"),
        helper.make_node("Gelu", ["b"], ["c"]),
        helper.make_node("Swish", ["c"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
        opset=13,
    )
    with pytest.raises(og.UnsupportedOpError) as caught:
        og.load(made)
    assert set(caught.value.ops) == {"Foo", "com.microsoft.FusedGelu", "Gelu", "Swish"}
    message = str(caught.value)
    assert "Gelu (it came with version 20; the model says 13)" in message
    assert "Swish (it came with version 24; the model says 13)" in message
    assert "com.microsoft.FusedGelu (onnxgrad has no body" in message


def test_an_operator_that_onnx_has_dropped() -> None:
    made = model(helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml"))
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 5))
    with pytest.raises(og.UnsupportedOpError, match="TreeEnsembleRegressor .ONNX has dropped it"):
        og.load(made)


@pytest.mark.parametrize(
    ("dtype", "op_type", "message"),
    [
        (TensorProto.DOUBLE, "Add", r"Add\(float32\[N, 3\], float64\[3\]\).*must be one type"),
        (TensorProto.STRING, "Mul", r"Mul.*cannot be tensor\(string\)"),
    ],
)
def test_types_that_do_not_fit(dtype: int, op_type: str, message: str) -> None:
    other = helper.make_tensor_value_info("z", dtype, [3])
    with pytest.raises(og.GraphError, match=message):
        og.load(model(helper.make_node(op_type, ["x", "z"], ["y"]), inputs=[X, other]))


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (["x", "x"], ["y"], "takes 1 input, got 2"),
        (["x"], ["y", "z"], "has 1 output, asked for 2"),
        (["x"], [], "has 1 output, asked for 0"),
    ],
)
def test_an_identity_with_another_derivative_is_checked_too(
    inputs: list[str], outputs: list[str], message: str
) -> None:
    node = helper.make_node("Identity", inputs, outputs)
    node.metadata_props.add(key="onnxgrad.derivative", value="StopGradient")
    nodes = [node] if outputs else [node, RELU]
    with pytest.raises(og.GraphError, match=f"Identity {message}"):
        og.load(model(*nodes))


def test_pinning_a_symbol_that_is_not_there() -> None:
    with pytest.raises(og.GraphError, match="no symbolic dimension 'M'; it has 'N'"):
        og.load(model(RELU), shapes={"M": 2})


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(og.ModelFileError, match="cannot read .*none.onnx"):
        og.load(tmp_path / "none.onnx")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("../secret.bin", "outside the model's folder"),
        ("/etc/hostname", "outside the model's folder"),
        ("link.bin", "outside the model's folder"),
        ("missing.bin", "which is not in"),
        ("short.bin", "truncated"),
        ("", "not named"),
    ],
)
def test_external_data_that_cannot_be_read(tmp_path: Path, location: str, message: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    (folder / "short.bin").write_bytes(bytes(12))
    os.symlink(tmp_path / "secret.bin", folder / "link.bin")
    made = external(location)
    made.graph.initializer[0].external_data.add(key="length", value="16")
    path = folder / "m.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(og.ModelFileError, match=message):
        og.load(path)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    graph = og.load(model(helper.make_node("BitCast", ["x"], ["y"], to=1), opset=26))
    target = tmp_path / "out.onnx"
    target.write_bytes(b"before")
    with pytest.raises(og.UnsupportedOpError, match=r"BitCast 'y' \(.*opset 26 can"):
        og.save(graph, target)
    assert target.read_bytes() == b"before" and os.listdir(tmp_path) == ["out.onnx"]
    with pytest.raises(og.ModelFileError, match="cannot write"):
        og.save(graph, tmp_path / "no" / "out.onnx", opset=28)


SEED_MODEL = model(
    helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2], group=1),
    helper.make_node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[1, 1]),
    helper.make_node("Split", ["p"], ["s", "t"], axis=1, num_outputs=2),
    helper.make_node("SpaceToDepth", ["s"], ["d"], blocksize=1),
    helper.make_node("Reshape", ["d", "shape"], ["r"]),
    helper.make_node("Softmax", ["r"], ["y"], axis=-1),
    inputs=[helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 8, 8])],
    initializer=[
        weight("w", (4, 2, 3, 3)),
        numpy_helper.from_array(np.array([2, -1], np.int64), "shape"),
    ],
).SerializeToString()


def test_the_seed_of_the_fuzzing_is_valid() -> None:
    assert [v.name for v in og.load(SEED_MODEL).outputs] == ["y"]


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    st.lists(
        st.tuples(st.integers(0, len(SEED_MODEL) - 1), st.integers(0, 255)), min_size=1, max_size=4
    )
)
def test_only_our_errors_escape(changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(SEED_MODEL)
    for place, byte in changes:
        damaged[place] = byte
    try:
        graph = og.load(bytes(damaged))
    except og.OnnxgradError:
        return
    assert graph.outputs


@pytest.mark.parametrize("name", ["strides", "group", "kernel_shape", "num_outputs", "blocksize"])
@pytest.mark.parametrize("number", [0, -1, 2**40])
def test_numbers_that_divide_by_zero_or_overflow(name: str, number: int) -> None:
    made = onnx.ModelProto.FromString(SEED_MODEL)
    for node in made.graph.node:
        for attribute in node.attribute:
            if attribute.name == name:
                attribute.i = number if attribute.HasField("i") else 0
                attribute.ints[:] = [number] * len(attribute.ints)
    try:
        graph = og.load(made)
    except og.OnnxgradError:
        return
    assert graph.outputs
