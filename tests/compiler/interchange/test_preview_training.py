"""Models with ONNX's Gradient operator, which no runtime has, run anywhere once they are read."""

import numpy as np
import onnx
import pytest

import onnxgrad as og


def model(at: str, xs: str, y: str = "c") -> onnx.ModelProto:
    return onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["": 21, "ai.onnx.preview.training": 1]>
        g (float[3] a, float[3] b) => (float[3] c, float[3] da) {{
            s = Mul(a, a)
            c = Mul(s, b)
            da = ai.onnx.preview.training.Gradient <xs: strings = [{xs}], y: string = "{y}"> ({at})
        }}"""
    )


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_the_gradient_is_emitted(backend: str) -> None:
    a, b = np.array([1, 2, 3], "f4"), np.array([4, 5, 6], "f4")
    graph = og.load(model("a", '"a"'))
    results = og.compile(graph, backend)(a=a, b=b)
    np.testing.assert_allclose(results["da"], 2 * a * b)
    onnx.checker.check_model(og.to_onnx(graph), full_check=True)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(og.UnsupportedOpError, match="the tensors that `xs` names"):
        og.load(model("b", '"a"'))
    with pytest.raises(og.ModelFileError, match="'z', which nothing before it computes"):
        og.load(model("a", '"a"', "z"))
