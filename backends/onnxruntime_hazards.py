"""Which operators onnxruntime 1.32 dies of, or never ends, on tensors without elements."""

from typing import Any

from ..compiler.graph.ir import Graph
from ..compiler.graph.subgraphs import all_nodes

_HAZARDS = frozenset(
    {"Conv", "ConvTranspose", "GRU", "LSTM", "MaxRoiPool", "RNN", "RoiAlign", "STFT", "Unique"}
)
"""Found by `make edges`; a saved Einsum, or Scan, is spelled so that it is none of them."""


def has_hazards(graph: Graph) -> bool:
    """Tell whether such an operator stands in a graph or its subgraphs."""
    return any(node.operator in _HAZARDS for node in all_nodes(graph))


def has_no_elements(fed: Any) -> bool:
    """Tell whether an array, or one of a sequence, has no elements."""
    if isinstance(fed, list):
        return any(map(has_no_elements, fed))
    return hasattr(fed, "size") and fed.size == 0
