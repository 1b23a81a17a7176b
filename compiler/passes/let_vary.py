"""Let a constant be a parameter, which training changes; nothing that was computed of it stays."""

from collections.abc import Iterable

from ..graph.ir import Graph, Value

_OF_ITS_TYPE = ("Shape", "Size")
"""Operators that read no numbers, only how many there are."""


def let_vary(graph: Graph, value: Value) -> None:
    """Make a constant a parameter; what follows from its numbers is computed at run time."""
    value.parameter = True
    _forget(graph, [value])


def _forget(graph: Graph, values: Iterable[Value]) -> None:
    pending, seen = list(values), set(values)
    while pending:
        for node in graph.consumers(pending.pop()):
            if node.op_type in _OF_ITS_TYPE:
                continue
            for subgraph in node.subgraphs:
                _forget(subgraph, [v for v in subgraph.captures() if v in seen])
            for output in node.writes():
                output.constant = output.elements = None
                if output not in seen:
                    seen.add(output)
                    pending.append(output)
