"""Large weights are handed to onnxruntime where they lie, not through a message of 2 GB at most."""

import numpy as np
from onnx import ModelProto, TensorProto

from ..compiler.graph.ir import Graph
from ..compiler.graph.types import is_packed, onnx_dtype
from ..compiler.interchange.exporter import write_model
from ..compiler.standard.protos import every_node, graphs_in, tensor_proto

_LEAST = 2**16
"""Smaller weights stay in the message, in bytes."""


def write_apart(graph: Graph, opset: int) -> tuple[ModelProto, dict[str, np.ndarray]]:
    """Write a model without its large weights, each node with a name; give the weights by name."""
    weights: dict[str, np.ndarray] = {}

    def tensor(array: np.ndarray, name: str) -> TensorProto:
        if array.nbytes < _LEAST or array.dtype.kind in "OUS" or is_packed(array.dtype):
            return tensor_proto(array, name)
        weights[name] = array
        proto = TensorProto(name=name, data_type=onnx_dtype(array.dtype), dims=array.shape)
        proto.data_location = TensorProto.EXTERNAL
        proto.external_data.add(key="location", value="memory")
        return proto

    model = write_model(graph, opset, {}, functions=False, tensor=tensor, contrib=True)
    taken = {node.name for node in every_node(model.graph.node)}
    for node in every_node(model.graph.node):
        title = next(filter(None, node.output), "")
        if not node.name and title not in taken:
            node.name = title  # by which onnxruntime tells what it refuses
        for inner in graphs_in(node):  # onnxruntime takes weights for the whole graph only
            for proto in inner.initializer:
                if proto.data_location == TensorProto.EXTERNAL:
                    proto.CopyFrom(tensor_proto(weights.pop(proto.name), proto.name))
    return model, {name: _settled(array) for name, array in weights.items()}


def _settled(array: np.ndarray) -> np.ndarray:
    """Give an array that nobody writes to any more: itself, or a copy."""
    base: object = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return array.copy()
        base = base.base
    return np.ascontiguousarray(array)
