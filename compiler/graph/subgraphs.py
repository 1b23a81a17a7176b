"""Walks over all that a graph holds: its nodes, and the graphs that they hold in turn."""

from collections.abc import Callable, Iterator

from .ir import Graph, Node


def all_graphs(graph: Graph) -> Iterator[Graph]:
    """Yield a graph and its subgraphs, however deep they lie."""
    yield graph
    for node in graph.nodes():
        for subgraph in node.subgraphs:
            yield from all_graphs(subgraph)


def all_nodes(graph: Graph) -> Iterator[Node]:
    """Yield the nodes of a graph and of its subgraphs."""
    for node in graph.nodes():
        yield from nodes_within(node)


def nodes_within(node: Node) -> Iterator[Node]:
    """Yield a node and those of its subgraphs."""
    yield node
    for subgraph in node.subgraphs:
        yield from all_nodes(subgraph)


def run_on_subgraphs(step: Callable[[Graph], bool], graph: Graph) -> bool:
    """Run a pass on the subgraphs of every node; tell whether it changed any of them."""
    return any([run_within(step, graph, node) for node in graph.nodes()])


def run_within(step: Callable[[Graph], bool | None], graph: Graph, node: Node) -> bool:
    """Run a step on the subgraphs of one node; tell whether it changed any of them.

    A step that gives None is taken for one that changed what it got.
    """
    changed = False
    for subgraph in node.subgraphs:
        changed |= step(subgraph) is not False
    if changed:
        graph.reconnect(node)
    return changed
