"""Operators that no graph can hold are refused with what to do."""

import onnx
import pytest
from onnx import helper

import onnxgrad as og


def test_maps_offer_the_tensor_before_them() -> None:
    node = helper.make_node(
        "ZipMap", ["scores"], ["map"], domain="ai.onnx.ml", classlabels_int64s=[1, 2]
    )
    info = helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph([node], "maps", [info], [onnx.ValueInfoProto(name="map")])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    with pytest.raises(og.UnsupportedOpError, match="maps, of the tensor 'scores'"):
        og.load(helper.make_model(graph, opset_imports=opsets))


def test_blocked_channels_say_at_which_level_to_save() -> None:
    node = helper.make_node("ReorderInput", ["x"], ["y"], domain="com.microsoft.nchwc")
    info = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 8, 4, 4])
    graph = helper.make_graph([node], "blocks", [info], [onnx.ValueInfoProto(name="y")])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft.nchwc", 1)]
    with pytest.raises(og.UnsupportedOpError, match="ORT_ENABLE_EXTENDED"):
        og.load(helper.make_model(graph, opset_imports=opsets))
