"""Differentiate a subgraph and move what that emitted into a graph of its own."""

from collections.abc import Iterable
from dataclasses import dataclass

from ...differentiation.activity import Flow
from ...differentiation.reverse import backpropagate, expand_path
from ...emission.naming import GRADIENT
from ...emission.ops import Ops
from ...emission.sequences import add, zeros_like
from ...graph.ir import Graph, Node, Value, copy_node
from ...graph.types import TensorType
from ...standard.randomness import is_random


@dataclass(frozen=True, slots=True)
class Backward:
    """The backward part of a subgraph, as yet without inputs and outputs.

    `cotangents` (one for each value that is differentiated) are values of `graph` that nothing
    computes, its outputs are the gradients by each of `wrt`; `residuals` are values of the forward
    part that it reads.
    """

    graph: Graph
    cotangents: list[Value]
    wrt: list[Value]
    residuals: list[Value]


def differentiate(flow: Flow, dense: Iterable[Value] = ()) -> Backward:
    """Differentiate a subgraph; its forward part stays, what is emitted becomes a new graph.

    Args:
        flow: the subgraph, what is differentiated and by what.
        dense: values whose gradient is given as zeros where nothing arrives.
    """
    graph = flow.graph
    expand_path(graph, flow.of, flow.wrt)
    forward = set(graph.nodes())
    op = Ops(graph, prefix=GRADIENT)
    cotangents = [
        graph.add_value(Value(graph.names.fresh(f"{GRADIENT}{v.name}"), v.type)) for v in flow.of
    ]
    sums: dict[Value, Value] = {}
    for value, dy in zip(flow.of, cotangents, strict=True):
        sums[value] = add(op, sums[value], dy) if value in sums else dy
    gradients = backpropagate(graph, sums, flow.wrt)
    for value in dense:
        if value not in gradients:
            gradients[value] = zeros_like(op, value)
    emitted = [n for n in graph.nodes() if n not in forward]
    kept = _measurements(emitted, cotangents)
    back = _moved(graph, [n for n in emitted if n not in kept], cotangents)
    back.outputs = list(gradients.values())
    _copy_constants(graph, back)
    residuals = [v for v in back.captures() if graph.owns(v)]
    return Backward(back, cotangents, list(gradients), residuals)


def _measurements(emitted: list[Node], cotangents: list[Value]) -> set[Node]:
    """Give the nodes that measure values of the forward part: a size is cheaper to keep.

    Shapes, lengths, positions; and elements of sequences, since a sequence cannot be kept.
    """
    later = {v for n in emitted for v in n.writes()} | set(cotangents)
    found: set[Node] = set()
    for node in emitted:
        if later.isdisjoint(node.reads()) and _is_measurement(node):
            found.add(node)
            later.difference_update(node.writes())
    return found


def _is_measurement(node: Node) -> bool:
    if node.op_type in ("SequenceAt", "SequenceShapes"):
        return True
    return all(
        isinstance(v.type, TensorType) and v.dtype.kind in "ib" and v.rank in (0, 1)
        for v in node.writes()
    )


def _moved(graph: Graph, nodes: list[Node], values: list[Value]) -> Graph:
    """Move nodes, and values that none computes, into a new graph."""
    back = Graph(f"{graph.name}.grad", graph.names)
    for node in reversed(nodes):
        graph.remove(node)
    for value in values:
        graph.remove(value)
        back.add_value(value)
    for node in nodes:
        back.add_node(node)
    return back


def _copy_constants(graph: Graph, back: Graph) -> None:
    """Let the backward part hold the forward part's constants that it reads."""
    for value in back.captures():
        if graph.owns(value) and value.constant is not None:
            copied = Value(back.names.fresh(value.name), value.type, value.constant)
            back.replace_uses(value, back.add_value(copied))


def recompute_sequences(graph: Graph, part: Backward) -> Backward:
    """Let the backward part compute again the sequences that it reads, as far as a node gives them.

    A sequence cannot be kept for every step: ONNX has no sequences of sequences.
    """
    back = part.graph
    while again := _recomputable(graph, back):
        for node in again:
            mapping = {
                v: Value(back.names.fresh(f"{GRADIENT}{v.name}"), v.type) for v in node.writes()
            }
            back.add_node(copy_node(node, dict(mapping), back.names, renamed=True))
            for old, new in mapping.items():
                back.replace_uses(old, new)
        _copy_constants(graph, back)
    residuals = [v for v in back.captures() if graph.owns(v)]
    return Backward(back, part.cotangents, part.wrt, residuals)


def _recomputable(graph: Graph, back: Graph) -> list[Node]:
    found: dict[Node, None] = {}
    for value in back.captures():
        if graph.owns(value) and not isinstance(value.type, TensorType):
            node = graph.producer(value)
            if node is not None and not is_random(node):
                found[node] = None
    return list(found)
