"""Make a graph ready for a backend: a copy without the composites that the backend lacks."""

from collections.abc import Set

from .expand import expand_composites
from .ir import Graph
from .passes.dead_code import remove_dead_code


def prepare_for(graph: Graph, native: Set[str]) -> Graph:
    """Copy a graph and expand its composites, except those in `native`."""
    graph = graph.copy()
    expand_composites(graph, {}, native)
    remove_dead_code(graph)
    return graph
