"""Steps that NumPy rounds to are those of stock onnxruntime, bit by bit."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import onnxgrad as og

Array = Any


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    node = helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])
    types = {"y": TensorProto.UINT8, "scale": TensorProto.FLOAT, "zero": TensorProto.UINT8}
    outputs = [helper.make_tensor_value_info(n, t, None) for n, t in types.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])
    graph = helper.make_graph([node], "g", [x], outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def draw(rng: np.random.Generator) -> Array:
    spread, shift = 10.0 ** rng.uniform(-6, 6), rng.choice([0, 0, -3, 3])
    return (rng.normal(size=rng.integers(1, 40)) * spread + shift).astype(np.float32)


def test_steps_of_floats(model: onnx.ModelProto) -> None:
    rng = np.random.default_rng(0)
    drawn = [draw(rng) for _ in range(300)]
    alone = [np.full(5, v, np.float32) for v in (0, 2, -2)]
    stock: Any = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ours = og.compile(og.load(model))
    for x in [*drawn, *alone, np.zeros(0, np.float32)]:
        found = ours.run({"x": x})
        for name, wanted in zip(found, stock.run(None, {"x": x}), strict=True):
            assert found[name].dtype == wanted.dtype
            np.testing.assert_array_equal(found[name], wanted)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
@pytest.mark.parametrize("zero", [np.int8(-3), np.uint8(7), np.int16(0), np.uint16(9)])
def test_what_is_far_out_saturates(zero: Array, backend: str) -> None:
    """Numbers beyond int32, of which onnx.reference gives the least of the dtype."""
    limits = np.iinfo(zero.dtype)
    b = og.Builder("far")
    x = b.input("x", "float32", ("N",))
    b.output(b.op.QuantizeLinear(x, np.float32(0.5), zero), "y")
    far = np.array([3e9, -3e9, 1e30, -1e30, np.inf, -np.inf, 1.2], np.float32)
    found = og.compile(b.build(), backend).run({"x": far})["y"]
    most, least = limits.max, limits.min
    assert found.tolist() == [most, least, most, least, most, least, 2 + zero]
