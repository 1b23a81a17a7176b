"""Give each way of multiplying by a constant a copy of it, for runtimes that mix the ways up."""

from collections.abc import Set
from functools import partial
from typing import Any

from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value, copy_node
from ..graph.subgraphs import run_within
from ..inference.node_types import freeze
from ..standard.randomness import is_random

_PRODUCTS = {"Conv", "ConvTranspose", "Einsum", "GRU", "Gemm", "LSTM", "MatMul", "RNN"}

Seen = dict[Value, Any]
"""Each matrix that a product was met at, and the way in which that one reads it."""


def keep_weights_apart(
    graph: Graph, seen: Seen | None = None, fed: Set[Value] | None = None
) -> bool:
    """Copy constants that products read in more than one way, in place; subgraphs too.

    A gradient reads a weight once as it is and once transposed. OpenVINO 2026.4 packs weights and
    finds them again by their address, whichever way they were packed: then numbers are wrong. What
    it can compute from constants alone is one to it; what is fed, such as a trained weight, is not.
    """
    seen = {} if seen is None else seen
    fed = set(graph.inputs) if fed is None else fed
    changed = False
    made: dict[Value, Any] = {}
    for node in graph.nodes():
        changed |= run_within(partial(keep_weights_apart, seen=seen, fed=fed), graph, node)
        read = [v for v in node.inputs if v is not None]
        for value in read:
            if graph.producer(value) is None and value.constant is not None and value not in fed:
                made[value] = value.name
        if node.op_type in _PRODUCTS and not node.domain:
            for k, x in enumerate(node.inputs):
                if x is not None and x in made:
                    way = (node.op_type, k, freeze(node.attributes), x.shape, made[x])
                    changed |= _keep_apart(graph, node, k, x, way, seen)
        if all(v in made for v in read) and not (node.subgraphs or is_random(node)):
            how = (node.op_type, freeze(node.attributes), *(made[v] for v in read))
            made |= {v: (k, how) for k, v in enumerate(node.writes())}
    return changed


def _keep_apart(graph: Graph, node: Node, k: int, value: Value, way: Any, seen: Seen) -> bool:
    matrices = [v for v in _constants(graph, value) if v.rank is None or v.rank >= 2]
    if all([seen.setdefault(v, way) == way for v in matrices]):
        return False
    copy = _copied(graph, value)
    node.inputs = tuple(copy if i == k else v for i, v in enumerate(node.inputs))
    graph.reconnect(node)
    return True


def _constants(graph: Graph, value: Value) -> list[Value]:
    node = graph.producer(value)
    if node is None:
        return [value]
    return [c for source in node.inputs if source is not None for c in _constants(graph, source)]


def _copied(graph: Graph, value: Value) -> Value:
    """Give a constant again, computed again from copies where nodes compute it."""
    node = graph.producer(value)
    if node is None:
        return Ops(graph).constant(value.constant, name=f"{value.name}_copy")
    mapping = {source: _copied(graph, source) for source in dict.fromkeys(node.reads())}
    mapping |= {v: Value(graph.names.fresh(f"{v.name}_copy"), v.type) for v in node.writes()}
    graph.add_node(copy_node(node, mapping, graph.names))
    return mapping[value]
