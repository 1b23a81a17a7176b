"""Hold what a graph draws at random, so that two runs see the same mask; it draws nothing."""

from collections.abc import Mapping

import numpy as np

from ...compiler.emission.accumulation import cast_to
from ...compiler.emission.ops import Ops
from ...compiler.emission.replacing import put_in_place
from ...compiler.graph.ir import Graph, Node, Value
from ...compiler.standard.randomness import is_random


def drawing_nodes(graph: Graph) -> tuple[list[Node], list[Node]]:
    """List the nodes that draw and can be held, then those that draw in subgraphs and cannot."""
    drawing = [n for n in graph.nodes() if is_random(n)]
    return [n for n in drawing if not n.subgraphs], [n for n in drawing if n.subgraphs]


def show_draws(graph: Graph) -> dict[str, str]:
    """Make what is drawn an output; give these outputs' names by what the nodes compute."""
    shown = {}
    for node in drawing_nodes(graph)[0]:
        drawn = Ops(graph, node.position).with_output(node, 1 if node.op_type == "Dropout" else 0)
        if all(drawn is not v for v in graph.outputs):
            graph.outputs.append(drawn)
        shown[_key(node)] = drawn.name
    return shown


def hold_draws(graph: Graph, draws: Mapping[str, np.ndarray]) -> None:
    """Let nodes give what was drawn once, by what they compute, in place of drawing again."""
    for node in drawing_nodes(graph)[0]:
        op = Ops(graph, node.position, f"{_key(node)}/")
        drawn = draws.get(_key(node))
        if drawn is None:
            continue  # nothing reads it
        if node.op_type == "Dropout":
            put_in_place(op, node, _masked(op, node, op.constant(drawn)))
        else:
            put_in_place(op, node, [op.constant(drawn, node.output().dtype)])


def _key(node: Node) -> str:
    return next(node.writes()).name


def _masked(op: Ops, node: Node, mask: Value) -> list[Value]:
    """y = x·mask/(1 − ratio) while training, else x; with the mask"""
    x, ratio, training = node.first_input, node.input(1), node.input(2)
    keep = op.Sub(1.0, op.like(0.5, x) if ratio is None else cast_to(op, ratio, x))
    scaled = op.Div(x, op.Where(training, keep, 1.0))
    return [op.Where(mask, scaled, 0.0), mask]
