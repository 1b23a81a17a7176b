"""og.load takes models of the onnx_ir library."""

import numpy as np
import onnx_ir

import onnxgrad as og


def test_a_model_of_onnx_ir_loads() -> None:
    b = og.Builder("net")
    x = b.input("x", "float32", ("N", 2))
    b.output(x @ b.parameter("w", np.ones((2, 3), np.float32)), "y")
    model = onnx_ir.from_proto(og.to_onnx(b.build()))
    result = og.compile(og.vjp(og.load(model), "y", "w")).run(
        {"x": np.ones((4, 2), np.float32), "y.grad": np.ones((4, 3), np.float32)}
    )
    np.testing.assert_array_equal(result["w.grad"], np.full((2, 3), 4, np.float32))
