"""The tuned file is the original with other weights, and nothing else of it changes."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from small_models import weight

import onnxgrad as og

W = np.arange(12, dtype=np.float32).reshape(4, 3) / 10


def model(
    held: TensorProto | None = None, nodes: tuple[onnx.NodeProto, ...] = ()
) -> onnx.ModelProto:
    """A Gemm with a bias that stands in a Constant node, of an old opset, with much around it."""
    constant = helper.make_node(
        "Constant", [], ["bias"], value=numpy_helper.from_array(np.ones(3, np.float32), "inner")
    )
    gemm = helper.make_node("Gemm", ["x", "w", "bias"], ["y"], "dense", doc_string="the only layer")
    relu = helper.make_node("Relu", ["y"], ["z"])
    graph = helper.make_graph(
        [constant, gemm, *nodes, relu],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["N", 3])],
        [held or numpy_helper.from_array(W, "w")],
        value_info=[helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])],
    )
    made = helper.make_model(
        graph, producer_name="somebody", opset_imports=[helper.make_opsetid("", 13)], ir_version=7
    )
    made.metadata_props.add(key="author", value="me")
    return made


def trained(path: Path, **arrays: np.ndarray) -> og.Graph:
    return og.with_parameters(og.load(path), arrays)


def test_only_the_weights_differ(tmp_path: Path) -> None:
    path, tuned = tmp_path / "model.onnx", tmp_path / "tuned.onnx"
    original = model()
    original.graph.initializer[0].doc_string = "a weight"
    onnx.save(original, path)
    names = og.save_weights(trained(path, w=W + 1, bias=np.zeros(3, np.float32)), path, tuned)
    assert sorted(names) == ["bias", "w"]
    found = onnx.load(tuned)
    np.testing.assert_array_equal(numpy_helper.to_array(found.graph.initializer[0]), W + 1)
    # with the old numbers put back the files are the same bytes
    found.graph.initializer[0].raw_data = W.tobytes()
    found.graph.node[0].attribute[0].t.raw_data = np.ones(3, np.float32).tobytes()
    assert found.SerializeToString(deterministic=True) == path.read_bytes()


def test_without_training_it_is_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    typed = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 3], float_data=W.ravel())
    onnx.save(model(typed), path)
    assert og.save_weights(og.load(path), path, tmp_path / "same.onnx") == []
    assert (tmp_path / "same.onnx").read_bytes() == path.read_bytes()


def test_what_stands_around_the_model_is_left_out(tmp_path: Path) -> None:
    path, tuned = tmp_path / "model.onnx", tmp_path / "tuned.onnx"
    onnx.save(model(), path)
    g = og.losses.mse(og.load(path))
    data = {"x": np.ones((8, 4), np.float32), "target": np.zeros((8, 3), np.float32)}
    fitted = og.fit(g, data, optimizer=og.optim.SGD(0.1))
    og.save_weights(fitted.graph, path, tuned)
    assert [o.name for o in onnx.load(tuned).graph.output] == ["z"]
    x = {"x": data["x"]}
    expected = og.compile(fitted.graph).run(data)["z"]
    np.testing.assert_allclose(og.compile(og.load(tuned)).run(x)["z"], expected, rtol=1e-6)


def test_weights_apart_stay_apart(tmp_path: Path) -> None:
    path, tuned = tmp_path / "model.onnx", tmp_path / "tuned.onnx"
    rng = np.random.default_rng(0)
    wide, frozen = (rng.normal(size=(4, 300)).astype(np.float32) for _ in range(2))
    b = og.Builder("wide")
    x = b.input("x", "float32", ("N", 4))
    b.output(x @ b.parameter("wide", wide) + x @ b.parameter("frozen", frozen), "y")
    og.save(b.build(), path, external_data=True)
    assert og.save_weights(trained(path, wide=wide * 2), path, tuned) == ["wide"]
    found = onnx.load(tuned)
    assert (tmp_path / "tuned.onnx.data").exists()
    held = {t.name: numpy_helper.to_array(t) for t in found.graph.initializer}
    np.testing.assert_array_equal(held["wide"], wide * 2)
    np.testing.assert_array_equal(held["frozen"], frozen)
    # over itself, too
    og.save_weights(trained(path, wide=wide * 3), path, path)
    np.testing.assert_array_equal(weight(og.load(path), "wide"), wide * 3)


def test_a_weight_that_is_a_list_of_numbers(tmp_path: Path) -> None:
    """A Constant may hold floats where others hold a tensor."""
    path, tuned = tmp_path / "model.onnx", tmp_path / "tuned.onnx"
    original = model(
        nodes=(
            helper.make_node("Constant", [], ["scale"], value_floats=[1.0, 2.0, 3.0]),
            helper.make_node("Constant", [], ["shift"], value_float=0.5),
            helper.make_node("Mul", ["y", "scale"], ["scaled"]),
            helper.make_node("Add", ["scaled", "shift"], ["shifted"]),
        )
    )
    original.graph.node[-1].input[0] = "shifted"
    onnx.save(original, path)
    og.save_weights(og.load(path), path, tuned)
    assert tuned.read_bytes() == path.read_bytes()
    arrays = {"scale": np.array([3, 2, 1], np.float32), "shift": np.array(-1, np.float32)}
    assert og.save_weights(trained(path, **arrays), path, tuned) == ["scale", "shift"]
    found = og.load(tuned)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.find(name).constant, array)
    feeds = {"x": np.ones((2, 4), np.float32)}
    session: Any = onnxruntime.InferenceSession(tuned)
    (z,) = session.run(None, feeds)
    np.testing.assert_allclose(z, np.maximum((feeds["x"] @ W + 1) * [3, 2, 1] - 1, 0), rtol=1e-6)


def test_training_mode_ends(tmp_path: Path) -> None:
    path, tuned = tmp_path / "model.onnx", tmp_path / "tuned.onnx"
    bn = helper.make_node(
        "BatchNormalization", ["x", *"sbmv"], ["y", "mean", "var"], training_mode=1
    )
    drop = helper.make_node("Dropout", ["y", "ratio", "yes"], ["z"])
    held = {n: np.full(3, k, np.float32) for k, n in enumerate("bsmv")}
    held |= {"ratio": np.array(0.5, np.float32), "yes": np.array(True)}
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 3]) for n in "xz"]
    tensors = [numpy_helper.from_array(a, n) for n, a in held.items()]
    graph = helper.make_graph([bn, drop], "net", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    og.save_weights(og.load(path), path, tuned)
    onnx.checker.check_model(onnx.load(tuned), full_check=True)
    given = np.array([[1, 2, 3]], np.float32)
    found = og.compile(og.load(tuned), "onnxruntime").run({"x": given})["z"]
    # scale 1, bias 0, mean 2, variance 3
    np.testing.assert_allclose(found, (given - 2) / np.sqrt(3 + 1e-5), rtol=1e-6)


def test_a_graph_of_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(model(), path)
    b = og.Builder("other")
    x = b.input("x", "float32", ("N", 4))
    b.output(x @ b.parameter("other", W), "z")
    with pytest.raises(og.GraphError, match="does not hold other.*og.save"):
        og.save_weights(b.build(), path, tmp_path / "tuned.onnx")
    assert not (tmp_path / "tuned.onnx").exists()
    with pytest.raises(og.ModelFileError, match="cannot read"):
        og.save_weights(og.load(path), tmp_path / "none.onnx", tmp_path / "tuned.onnx")
