"""The module that torch's exporter notes for a node is read, kept and written."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxgrad as og

KEY = "pkg.torch.onnx.name_scopes"


def model(scopes: str) -> onnx.ModelProto:
    """x·val_0 + head.bias, whose product torch's exporter calls part of the module "head"."""
    held = {"val_0": np.ones((3, 2), np.float32), "head.bias": np.zeros(2, np.float32)}
    nodes = [
        helper.make_node("MatMul", ["x", "val_0"], ["product"], name="node_MatMul_1"),
        helper.make_node("Add", ["product", "head.bias"], ["y"]),
        helper.make_node("ReduceSum", ["y"], ["loss"], keepdims=0),
    ]
    nodes[0].metadata_props.add(key=KEY, value=scopes)
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3])
    loss = helper.make_tensor_value_info("loss", onnx.TensorProto.FLOAT, [])
    arrays = [numpy_helper.from_array(a, n) for n, a in held.items()]
    graph = helper.make_graph(nodes, "net", [x], [loss], arrays)
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )
    return made


@pytest.mark.parametrize(
    ("scopes", "module"),
    [
        ("['', 'net', 'net.head', 'linear']", "net.head"),
        ("['', 'net', '', 'linear']", "net"),
        ("['', 'linear']", ""),
        ("[]", ""),
        ("nonsense", ""),
        ("['', 3]", ""),
        ("{}", ""),
        ("[" * 500, ""),
    ],
)
def test_the_innermost_module_counts(scopes: str, module: str) -> None:
    graph = og.load(model(scopes))
    assert [n.module for n in graph.nodes()] == [module, "", ""]


def test_it_is_written_and_copied() -> None:
    graph = og.load(model("['', 'net.head', 'linear']"))
    written = og.to_onnx(og.lora(graph, "*.head", rank=1))
    onnx.checker.check_model(written, full_check=True)
    again = og.load(written)
    assert [n.module for n in again.nodes() if n.input(1) is again.find("val_0")] == ["net.head"]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"parameters": "net.head.*"}, ["val_0"]),
        ({"frozen": "net.head.weight"}, ["head.bias"]),
        ({"parameters": "*.weight"}, ["val_0"]),
        ({"parameters": "head.*"}, ["head.bias"]),
    ],
)
def test_patterns_match_the_name_that_a_weight_had(
    choice: dict[str, Any], names: list[str]
) -> None:
    graph = og.load(model("['', 'net.head', 'linear']"))
    step = og.train_step(graph, "loss", og.optim.SGD(0.1), **choice)
    assert list(og.initial_state(step)) == names
