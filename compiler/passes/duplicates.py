"""Merge nodes that compute the same: f(x), f(x) → one f(x)."""

from functools import partial
from typing import Any

from ..emission.naming import is_emitted
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_within
from ..inference.node_types import freeze
from ..standard.randomness import is_random

SMALL = 1024
"""Most elements of constants that are compared by content; larger ones only by identity."""


def merge_emitted_duplicates(graph: Graph) -> bool:
    """Merge duplicates among what transformations emitted; the model's own values stay."""
    return _merge(graph, everything=False)


def merge_duplicates(graph: Graph) -> bool:
    """Merge all duplicates; outputs, inputs and parameters stay."""
    return _merge(graph, everything=True)


def _merge(graph: Graph, everything: bool) -> bool:
    changed = _merge_constants(graph)
    first: dict[Any, Node] = {}
    for node in graph.nodes():
        changed |= run_within(partial(_merge, everything=everything), graph, node)
        if node.subgraphs or is_random(node):
            continue
        original = first.setdefault(_key(node), node)
        if original is node or not _may_go(graph, node, everything):
            continue
        for old, new in zip(node.outputs, original.outputs, strict=True):
            if old is not None and new is not None:
                graph.replace_uses(old, new)
        graph.remove(node)
        changed = True
    return changed


def _merge_constants(graph: Graph) -> bool:
    changed = False
    first: dict[Any, Value] = {}
    kept = {*graph.inputs, *graph.outputs}
    for value in graph.values():
        constant = value.constant
        if constant is None or value.parameter or value in kept or graph.producer(value):
            continue
        small = constant.size <= SMALL
        original = first.setdefault(freeze(constant) if small else id(constant), value)
        if original is not value:
            graph.replace_uses(value, original)
            graph.remove(value)
            changed = True
    return changed


def _key(node: Node) -> Any:
    return (
        node.domain,
        node.op_type,
        node.inputs,
        tuple(v is None for v in node.outputs),
        tuple((k, freeze(v)) for k, v in sorted(node.attributes.items())),
    )


def _may_go(graph: Graph, node: Node, everything: bool) -> bool:
    """Tell whether a duplicate may be merged.

    What is computed from constants alone may be two weights that happen to be equal: merged before
    they are differentiated or trained, they would be tied.
    """
    outputs = set(graph.outputs)
    if any(v in outputs for v in node.writes()):
        return False
    if all(is_emitted(v) for v in node.writes()):
        return True
    return everything and any(v.constant is None or v.parameter for v in node.reads())
