"""Where a file holds weights: in Constants, as some exporters do, and inside of bodies."""

from collections.abc import Iterable
from functools import partial

from onnx import NodeProto

from ..graph.ir import Graph
from ..graph.subgraphs import run_within
from ..graph.value import Value
from .reading_context import domain_of

_PLACES = {
    "BatchNormalization": (1, 2, 3, 4),
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "GRU": (1, 2, 3),
    "Gemm": (0, 1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LSTM": (1, 2, 3),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
    "RMSNormalization": (1,),
    "RNN": (1, 2, 3),
}
"""The inputs that are weights and statistics, by operator."""

_MOVES = ("Cast", "Concat", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""What may stand between a weight and the operator that reads it."""


def weight_names(nodes: Iterable[NodeProto]) -> set[str]:
    """Give the names of the values that nodes read as weights, directly or moved."""
    found: set[str] = set()
    for node in reversed(list(nodes)):
        if domain_of(node.domain):
            continue
        places = _PLACES.get(node.op_type, ())
        found.update(node.input[k] for k in places if k < len(node.input))
        if node.op_type in _MOVES and node.output and node.output[0] in found:
            found.update(node.input if node.op_type == "Concat" else node.input[:1])
    return found


def lift_weights(graph: Graph) -> None:
    """Let a graph hold the weights of its subgraphs, in place: there training finds them."""
    for node in graph.nodes():
        run_within(partial(_lift, into=graph), graph, node)


def _lift(graph: Graph, into: Graph) -> None:
    for node in graph.nodes():
        run_within(partial(_lift, into=into), graph, node)
    for value in [v for v in graph.values() if v.parameter and v not in graph.inputs]:
        if not graph.consumers(value) and value not in graph.outputs:
            continue
        name, lifted = value.name, Value("", value.type, value.constant, parameter=True)
        lifted.name = graph.names.fresh(name)
        into.add_value(lifted)
        graph.replace_uses(value, lifted)
        graph.remove(value)
        into.rename(lifted, name)
