"""Where an error is said to be, in the bodies of functions too."""

import onnx
import pytest

import onnxgrad as og

MODEL = """<ir_version: 8, opset_import: ["": 21, "f": 1]>
g (float[2,3] x) => (float[2,3] y) { y = f.Halves <axis = 7> (x) }
<domain: "f", opset_import: ["": 21]>
Halves <axis> (a) => (b) { b = Softmax <axis: int = @axis> (a) }"""


def test_an_attribute_that_the_call_gives_is_no_obstacle() -> None:
    with pytest.raises(og.OnnxgradError, match=r"in the node 'b' \(Softmax\)"):
        og.load(onnx.parser.parse_model(MODEL))
