"""Quantized tensors whose one scale lies in a list, as tools write them."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import onnxgrad as og

X = np.arange(-4, 4).astype(np.int32)
SCALE, SCALES = np.float32(0.25), np.array([0.25], np.float32)
ZERO, ZEROS = np.zeros((), np.int32), np.zeros(1, np.int32)


def model(x: Any, scale: Any, zero: Any) -> onnx.ModelProto:
    held = [numpy_helper.from_array(np.asarray(a), n) for n, a in (("s", scale), ("z", zero))]
    node = helper.make_node("DequantizeLinear", ["x", "s", "z"], ["y"])
    info = helper.make_tensor_value_info("x", onnx.TensorProto.INT32, x.shape)
    graph = helper.make_graph([node], "g", [info], [onnx.ValueInfoProto(name="y")], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("x", [X, X.reshape(2, 4), X.reshape(4, 1, 2)], ids=lambda x: str(x.shape))
@pytest.mark.parametrize(
    ("scale", "zero"), [(SCALES, ZERO), (SCALES, ZEROS), (SCALE, ZEROS), (SCALE, ZERO)]
)
def test_one_scale_in_a_list(x: Any, scale: Any, zero: Any) -> None:
    file = model(x, scale, zero)
    session = onnxruntime.InferenceSession(file.SerializeToString())
    expected: Any = session.run(None, {"x": x})[0]
    graph = og.load(file)
    np.testing.assert_array_equal(og.compile(graph).run({"x": x})["y"], expected)
    written = onnxruntime.InferenceSession(og.to_onnx(graph).SerializeToString())
    np.testing.assert_array_equal(written.run(None, {"x": x})[0], expected)
