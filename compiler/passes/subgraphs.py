"""How a pass reaches the branches and bodies that nodes hold; it rewrites nothing by itself."""

from collections.abc import Callable

from ..graph.ir import Graph


def run_on_subgraphs(step: Callable[[Graph], bool], graph: Graph) -> bool:
    """Run a pass on the subgraphs of every node; tell whether it changed any of them."""
    changed = False
    for node in graph.nodes():
        for subgraph in node.subgraphs:
            if step(subgraph):
                graph.reconnect(node)
                changed = True
    return changed
