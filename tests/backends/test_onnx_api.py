"""ONNX's own interface: its runner drives our backends unchanged."""

import unittest

import numpy as np
import onnx
import pytest
from onnx.backend.test import BackendTest

from onnxgrad.backends.onnx_api import onnx_backend


@pytest.mark.filterwarnings("ignore")  # the suite's generators overflow on purpose
@pytest.mark.parametrize("name", ["numpy", "onnxruntime"])
def test_the_runner_of_onnx(name: str) -> None:
    tests = BackendTest(onnx_backend(name), __name__)
    tests.include("^test_(relu|gemm|basic_conv|softmax_axis|sequence_model|Linear|operator_add)")
    result = unittest.TestResult()
    tests.test_suite.run(result)
    ran = result.testsRun - len(result.skipped)
    assert ran > 30 and not result.failures and not result.errors, result.errors[:1]


def test_one_node() -> None:
    x = np.array([-1.0, 2.0], np.float32)
    backend = onnx_backend("numpy")
    node = onnx.helper.make_node("Clip", ["x", "", "high"], ["y"])
    results = backend.run_node(node, [x, np.float32(1)])
    assert results is not None
    (y,) = results
    np.testing.assert_array_equal(y, [-1, 1])
    with pytest.raises(onnx.checker.ValidationError):
        backend.run_node(onnx.helper.make_node("Clip", [], ["y"]), [])


def test_devices() -> None:
    backend = onnx_backend("numpy")
    assert backend.supports_device("CPU") and not backend.supports_device("CUDA")


def test_inputs_with_defaults_are_left_out() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 21]>
        g (float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }"""
    )
    x = np.array([1, 1], np.float32)
    backend = onnx_backend("numpy")
    np.testing.assert_array_equal(backend.run_model(model, [x])[0], [2, 3])
    np.testing.assert_array_equal(backend.run_model(model, x)[0], [2, 3])
