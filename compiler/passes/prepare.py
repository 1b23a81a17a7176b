"""Make a graph ready for a backend: a copy without the operators that the backend lacks."""

from collections.abc import Callable, Sequence, Set
from functools import partial

from ..composites.expand import expand_composites, expand_node, has_body
from ..composites.registry import RUN_ONLY
from ..errors import UnsupportedOpError
from ..graph.collection import without_collection
from ..graph.dead_code import remove_dead_code
from ..graph.ir import Graph, Node
from ..graph.subgraphs import run_within
from ..opset import COMPOSITE_DOMAIN
from .pipeline import Pass, run_passes


@without_collection()
def prepare_for(
    graph: Graph,
    native: Set[str],
    supports: Callable[[Node], bool] | None = None,
    passes: Sequence[Pass] = (),
) -> Graph:
    """Copy a graph and expand what a backend lacks, as far as it has bodies.

    Args:
        graph: the graph, unchanged by this.
        native: the composites that stay.
        supports: tells which standard operators stay; None: all of them.
        passes: what the backend wants done before its composites are expanded.
    """
    graph = graph.copy()
    run_passes(graph, *passes)
    expand_composites(graph, RUN_ONLY, native)
    if supports is not None:
        _expand_functions(graph, supports)
    remove_dead_code(graph)
    return graph


def _expand_functions(graph: Graph, supports: Callable[[Node], bool]) -> None:
    pending = graph.nodes()
    while pending:
        node = pending.pop()
        if node.domain != COMPOSITE_DOMAIN and not supports(node) and has_body(node):
            try:
                pending += expand_node(graph, node)
            except UnsupportedOpError:
                continue  # ONNX gives no body for these types; the backend has the last word
        else:
            run_within(partial(_expand_functions, supports=supports), graph, node)
