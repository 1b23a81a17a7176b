"""Move what a subgraph holds into the graph around it; it emits nothing."""

from ..graph.ir import Graph, Value
from .ops import Ops


def move_in(op: Ops, body: Graph) -> list[Value]:
    """Let the graph around a body own its values and nodes, under their names; give its outputs.

    Nothing is left of the body, which must have no inputs.
    """
    outputs = list(body.outputs)
    nodes = body.nodes()
    for value in body.values():
        op.graph.names.release(value.name)
        if body.producer(value) is None:
            op.graph.add_value(value)
    for node in nodes:
        node.position = op.position
        op.graph.add_node(node)
        op.emitted.append(node)
    return outputs
