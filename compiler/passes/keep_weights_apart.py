"""Give each way of multiplying by a constant a copy of it, for runtimes that mix the ways up."""

from collections.abc import Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value, copy_node
from ..graph.subgraphs import run_within
from ..inference.node_types import freeze
from ..standard.randomness import is_random

_PRODUCTS = {"Conv", "ConvTranspose", "Einsum", "GRU", "Gemm", "LSTM", "MatMul", "RNN"}


@dataclass
class _Met:
    """What was met so far, in all subgraphs.

    `ways` holds each matrix that a product was met at, and the way in which that one reads it.
    `numbers` counts different ways of computing a value: what is alike has the same number.
    """

    fed: Set[Value]
    ways: dict[Value, Any] = field(default_factory=dict)
    numbers: dict[Any, int] = field(default_factory=dict)


def keep_weights_apart(graph: Graph) -> bool:
    """Copy constants that products read in more than one way, in place; subgraphs too.

    A gradient reads a weight once as it is and once transposed. OpenVINO 2026.4 packs weights and
    finds them again by their address, whichever way they were packed: then numbers are wrong. What
    it can compute from constants alone is one to it; what is fed, such as a trained weight, is not.
    """
    return _keep_within(graph, _Met(frozenset(graph.inputs)))


def _keep_within(graph: Graph, met: _Met) -> bool:
    changed = False
    made: dict[Value, int] = {}

    def number(how: Any) -> int:
        return met.numbers.setdefault(how, len(met.numbers))

    for node in graph.nodes():
        changed |= run_within(partial(_keep_within, met=met), graph, node)
        read = [v for v in node.inputs if v is not None]
        for value in read:
            is_given = graph.producer(value) is None and value not in met.fed
            if is_given and value.constant is not None:
                made[value] = number(value.name)
        if node.op_type in _PRODUCTS and not node.domain:
            for k, x in enumerate(node.inputs):
                if x is not None and x in made:
                    way = (*_settings(node), k, x.shape, made[x])
                    changed |= _keep_apart(graph, node, k, x, way, met)
                    made |= {v: made[x] for v in node.inputs[k : k + 1] if v is not None}
        if all(v in made for v in read) and not (node.subgraphs or is_random(node)):
            parts = (None if v is None else made[v] for v in node.inputs)
            how = (*_settings(node), *parts)
            made |= {v: number((k, how)) for k, v in enumerate(node.writes())}
    return changed


def _settings(node: Node) -> tuple[Any, ...]:
    return node.operator, tuple((k, freeze(a)) for k, a in sorted(node.attributes.items()))


def _keep_apart(graph: Graph, node: Node, k: int, value: Value, way: Any, met: _Met) -> bool:
    given = [v for v in graph.upstream([value]) if isinstance(v, Value) and not graph.producer(v)]
    matrices = [v for v in given if v.rank is None or v.rank >= 2]
    if all([met.ways.setdefault(v, way) == way for v in matrices]):
        return False
    copy = _copied(graph, value)
    node.inputs = tuple(copy if i == k else v for i, v in enumerate(node.inputs))
    graph.reconnect(node)
    return True


def _copied(graph: Graph, value: Value) -> Value:
    """Give a constant again, computed again from copies where nodes compute it."""
    copies: dict[Value, Value] = {}

    def copied(given: Value) -> Value:
        if given not in copies:
            copies[given] = Ops(graph).constant(given.constant, name=f"{given.name}_copy")
        return copies[given]

    sources = graph.upstream([value])
    for node in [n for n in graph.nodes() if n in sources]:
        mapping = {v: copied(v) for v in node.reads()}
        copies |= {v: Value(graph.names.fresh(f"{v.name}_copy"), v.type) for v in node.writes()}
        graph.add_node(copy_node(node, mapping | copies, graph.names))
    return copied(value)
