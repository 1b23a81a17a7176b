"""What the emitter changes in a call, so that every runtime takes it."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import onnxgrad as og


@pytest.mark.parametrize("inside", [[], [1], None])
@pytest.mark.parametrize("around", [[], [1]])
def test_the_condition_of_a_loop_may_be_a_list_of_one(around: Any, inside: Any) -> None:
    """y = x⁴, its gradient 4x³; the standard has a scalar or one element."""
    value, node = helper.make_tensor_value_info, helper.make_node
    nodes = [
        node("Mul", ["s", "x"], ["t"]),
        node("Constant", [], ["most"], value_int=2),
        node("Less", ["i", "most"], ["still"]),
    ]
    inputs = [
        value("i", TensorProto.INT64, []),
        value("going", TensorProto.BOOL, inside),
        value("s", TensorProto.FLOAT, [3]),
    ]
    outputs = [value("still", TensorProto.BOOL, None), value("t", TensorProto.FLOAT, [3])]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    loop = node("Loop", ["", "start", "x"], ["y"], body=body)
    given = [value("start", TensorProto.BOOL, around), value("x", TensorProto.FLOAT, [3])]
    graph = helper.make_graph([loop], "loop", given, [value("y", TensorProto.FLOAT, [3])])
    opsets = [helper.make_opsetid("", 20)]
    loaded = og.load(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    gradient = og.vjp(loaded, "y", "x")
    x = np.array([0.5, -2, 3], np.float32)
    feeds = {"start": np.full(around, True), "x": x, "y.grad": np.ones(3, np.float32)}
    for backend in ("numpy", "onnxruntime"):
        np.testing.assert_allclose(og.compile(gradient, backend).run(feeds)["x.grad"], 4 * x**3)
    proto = og.to_onnx(gradient)
    onnx.checker.check_model(proto, full_check=True)
    session: Any = onnxruntime.InferenceSession(proto.SerializeToString())
    np.testing.assert_allclose(session.run(["x.grad"], feeds)[0], 4 * x**3)
