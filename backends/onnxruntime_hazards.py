"""What onnxruntime 1.32 dies of, never ends or gives other sizes: empty tensors, other ranks."""

from collections.abc import Sequence
from typing import Any

from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.recurrence import Recurrence
from ..compiler.graph.subgraphs import all_nodes
from ..compiler.graph.types import TensorType, fresh_dim, is_static
from ..compiler.passes.refine_types import refine_node

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


_TRUSTS_RANKS = frozenset({"DFT", "GridSample", "Multinomial", "ReverseSequence"})
"""Operators that end the process on tensors of a rank that they do not take."""


class OpenRanks:
    """A graph whose types leave open which ranks such operators read: told by what is fed."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.matter = _left_open(graph)
        self._seen: dict[tuple[int, ...], bool] = {}

    def are_safe(self, arrays: Sequence[Any]) -> bool:
        """Tell whether onnxruntime may run the graph on arrays, for ranks that it takes are sure.

        Raises:
            GraphError: an operator does not take what is fed.
        """
        if not self.matter:
            return True
        ranks = tuple(getattr(array, "ndim", -1) for array in arrays)
        if ranks not in self._seen:
            copy = self._graph.copy()
            for value, rank in zip(copy.inputs, ranks, strict=True):
                if _is_open(value):
                    value.type = TensorType(value.dtype, tuple(fresh_dim() for _ in range(rank)))
            for node in copy.nodes():
                if not node.subgraphs:  # which of two branches runs hangs on the ranks, too
                    refine_node(node)
            self._seen[ranks] = not _left_open(copy)
        return self._seen[ranks]


def _left_open(graph: Graph) -> bool:
    trusting = [n for n in all_nodes(graph) if n.operator in _TRUSTS_RANKS]
    return any(_is_open(v) for n in trusting for v in n.inputs if v is not None)


def _is_open(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.shape is None
