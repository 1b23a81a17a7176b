"""Which Constants of a file are weights: some exporters write all weights as nodes."""

from collections.abc import Iterable

from onnx import NodeProto

from .reading_context import domain_of

_PLACES = {
    "BatchNormalization": (1, 2, 3, 4),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "GRU": (1, 2, 3),
    "Gemm": (0, 1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LSTM": (1, 2, 3),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
    "RMSNormalization": (1,),
    "RNN": (1, 2, 3),
}
"""The inputs that are weights and statistics, by operator."""

_MOVES = ("Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""What may stand between a weight and the operator that reads it."""


def weight_names(nodes: Iterable[NodeProto]) -> set[str]:
    """Give the names of the values that nodes read as weights, directly or moved."""
    found: set[str] = set()
    for node in reversed(list(nodes)):
        if domain_of(node.domain):
            continue
        places = _PLACES.get(node.op_type, ())
        found.update(node.input[k] for k in places if k < len(node.input))
        if node.op_type in _MOVES and node.output and node.output[0] in found:
            found.add(node.input[0])
    return found
