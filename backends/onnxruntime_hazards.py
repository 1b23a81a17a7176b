"""What onnxruntime 1.32 dies of, never ends or gives other sizes, on tensors without elements."""

from typing import Any

from ..compiler.graph.ir import Graph, Node
from ..compiler.graph.recurrence import Recurrence
from ..compiler.graph.subgraphs import all_nodes
from ..compiler.graph.types import TensorType, is_static

_HAZARDS = frozenset(
    {"Conv", "ConvTranspose", "GRU", "LSTM", "MaxRoiPool", "RNN", "RoiAlign", "STFT", "Unique"}
)
"""Found by `make edges`; a saved Einsum, or Scan, is spelled so that it is none of them."""


def has_hazards(graph: Graph) -> bool:
    """Tell whether such an operator stands in a graph or its subgraphs."""
    return any(n.operator in _HAZARDS or _forgets_sizes(n) for n in all_nodes(graph))


def _forgets_sizes(node: Node) -> bool:
    """Tell whether a recurrence stacks tensors that would get sizes of 0 after no steps."""
    if node.domain or node.op_type not in ("Loop", "Scan"):
        return False
    tapes = [t.type for t in Recurrence(node).output_tapes]
    return any(isinstance(t, TensorType) and not is_static(t.shape) for t in tapes)


def has_no_elements(fed: Any) -> bool:
    """Tell whether an array, or one of a sequence, has no elements."""
    if isinstance(fed, list):
        return any(map(has_no_elements, fed))
    return hasattr(fed, "size") and fed.size == 0
