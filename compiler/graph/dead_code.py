"""Remove what no output depends on."""

from .ir import Graph, Value
from .subgraphs import run_within


def remove_dead_code(graph: Graph) -> bool:
    """Remove nodes and constants that nothing reads; inputs stay, as the signature."""
    return _remove(graph, set(graph.inputs))


def remove_dead_nodes(graph: Graph) -> bool:
    """Remove dead code but parameters: derivatives by them may still be asked for by name."""
    return _remove(graph, {*graph.inputs, *(v for v in graph.values() if v.parameter)})


def _remove(graph: Graph, kept: set[Value]) -> bool:
    live = graph.upstream(graph.outputs)
    changed = False
    for node in reversed(graph.nodes()):
        if node not in live:
            graph.remove(node)
            changed = True
        else:
            changed |= run_within(remove_dead_code, graph, node)
    kept |= set(graph.outputs)
    for value in graph.values():
        if value not in kept and graph.producer(value) is None and not graph.consumers(value):
            graph.remove(value)
            changed = True
    return changed
