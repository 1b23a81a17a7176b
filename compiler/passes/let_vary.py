"""Let constants be parameters, which training changes; nothing that was computed of them stays."""

from collections.abc import Iterable

from ..graph.ir import Graph, Value

_OF_ITS_TYPE = ("Shape", "Size")
"""Operators that read no numbers, only how many there are."""


def let_vary(graph: Graph, values: Iterable[Value]) -> None:
    """Make constants parameters; what follows from their numbers is computed at run time."""
    changed = list(values)
    for value in changed:
        value.parameter = True
    _forget(graph, changed)


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
