"""Numbers of examples, by which each example is looked up: `x[arange(n), label]`.

Such a number is another one in a part of the batch, and there it is the right one to look up by,
and for nothing else.
"""

from dataclasses import dataclass, field

from ..graph.ir import Node, Value
from ..inference.shapes import elements_of
from ..standard.schemas import attribute
from .registry import Call, Mixed, Rows, rank_of, size_at

_KEEP = {"Cast", "Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
"""Operators that only lay numbers out otherwise."""


@dataclass
class Numbering:
    """Values that hold the numbers of their examples, and nothing else.

    Args:
        alone: the number of the example, wherever one is.
        first: indices along the last axis, the first of which is the number of the example.
    """

    alone: set[Value] = field(default_factory=set)
    first: set[Value] = field(default_factory=set)

    def starts(self, node: Node, symbol: str) -> bool:
        """Tell whether a node gives the numbers of all examples."""
        found = node.operator == "Range" and [elements_of(v) for v in node.inputs]
        if found != [(0,), (symbol,), (1,)]:
            return False
        self.alone.add(node.output())
        return True

    def is_read_by(self, node: Node) -> bool:
        """Tell whether a node reads numbers of examples."""
        return any(v in self.alone or v in self.first for v in node.reads())

    def follow(self, call: Call) -> Rows | None:
        """Give where a node gives examples that are looked up; None: it gives numbers again.

        Raises:
            Mixed: it does something else with the numbers.
        """
        node, x = call.node, call.node.first_input
        if node.operator in _KEEP and x in self.alone:
            self.alone.add(node.output())
            return None
        if node.operator in ("Cast", "Identity") and x in self.first:
            self.first.add(node.output())
            return None
        if node.operator == "Concat" and x in self.alone and self._are_indices(node):
            self.first.add(node.output())
            return None
        if (rows := self._looked_up(call)) is not None:
            return rows
        raise Mixed("computes with numbers that examples have by their places in the batch")

    def _are_indices(self, node: Node) -> bool:
        x, *others = node.given()
        last = rank_of(x) - 1
        alone = not any(v in self.alone or v in self.first for v in others)
        return alone and node.attributes["axis"] % (last + 1) == last and size_at(x, last) == 1

    def _looked_up(self, call: Call) -> Rows | None:
        node, x, indices, by = call.node, call.node.first_input, call.node.input(1), call.of(1)
        if call.of(0) != Rows(0) or call.inner(x, Rows(0)) != 1 or indices is None or by is None:
            return None
        if node.operator == "Gather" and indices in self.alone and not attribute(node, "axis"):
            return by
        if node.operator != "GatherND" or attribute(node, "batch_dims"):
            return None
        last = rank_of(indices) - 1
        single = indices in self.alone and size_at(indices, last) == 1
        return by if by.axis != last and (single or indices in self.first) else None
