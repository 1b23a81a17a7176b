"""What onnxruntime 1.32 dies of, never ends or gives other sizes: empty tensors, other ranks."""

from collections.abc import Mapping
from typing import Any

from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.recurrence import Recurrence
from ..compiler.graph.subgraphs import all_nodes
from ..compiler.graph.types import TensorType, is_static
from .open_sizes import OpenSizes, has_open_rank

_HAZARDS = frozenset(
    [
        "Conv", "ConvTranspose", "GRU", "GatherND", "LSTM", "MaxRoiPool", "RNN", "RoiAlign", "STFT",
        "Unique",
    ]
)  # fmt: skip
"""Found by `make edges` and `make folding`: GatherND looks at no index where it moves nothing. A
saved Einsum, or Scan, is spelled so that it is none of them."""


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


def never_has_elements(value: Value) -> bool:
    """Tell whether a type leaves no room for elements."""
    return isinstance(value.type, TensorType) and 0 in (value.type.shape or ())


_TRUSTS_RANKS = frozenset({"DFT", "GridSample", "Multinomial", "ReverseSequence"})
"""Operators that end the process on tensors of a rank that they do not take."""


class OpenCalls:
    """Calls whose sizes or ranks types leave open: onnxruntime takes some that do not fit.

    It reads beside what is there, leaves labels out or stretches what must not be; found by
    `make calls`.
    """

    def __init__(self, graph: Graph) -> None:
        self._sizes = OpenSizes(graph)
        outer = set(graph.nodes())
        inner = [n for n in all_nodes(graph) if n not in outer]
        self._is_open_within = any(map(_may_end, inner))
        self.hang_on_ranks = self._is_open_within or any(map(_may_end, outer))
        self.hang_on_numbers = self._sizes.hang_on_numbers

    def check(self, fed: Mapping[str, Any]) -> bool:
        """Tell whether onnxruntime may run the graph on arrays, for ranks that it takes are sure.

        Raises:
            GraphError: an operator does not take what is fed.
        """
        return not any(map(_may_end, self._sizes.check(fed))) and not self._is_open_within


def _may_end(node: Node) -> bool:
    return node.operator in _TRUSTS_RANKS and has_open_rank(node)
