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
        _expand_functions(graph, supports, native)
    remove_dead_code(graph)
    return graph


def _expand_functions(graph: Graph, supports: Callable[[Node], bool], native: Set[str]) -> None:
    """Expand what is not supported, and composites that bodies emit."""
    pending = graph.nodes()
    while pending:
        node = pending.pop()
        if node.domain == COMPOSITE_DOMAIN:
            lacks = node.op_type not in native
        else:
            lacks = not supports(node) and has_body(node)
        if not lacks:
            within = partial(_expand_functions, supports=supports, native=native)
            run_within(within, graph, node)
            continue
        try:
            pending += expand_node(graph, node, RUN_ONLY.get(node.op_type))
        except UnsupportedOpError:
            continue  # ONNX gives no body for these types; the backend has the last word
