"""Give each way of multiplying by a constant a copy of it, for runtimes that mix the ways up."""

from functools import partial
from typing import Any

from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_within
from ..graph.types import TensorType
from ..inference.node_types import freeze

_PRODUCTS = {"Conv", "ConvTranspose", "Einsum", "GRU", "Gemm", "LSTM", "MatMul", "RNN"}

_VIEWS = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
"""What a runtime may see through, to the constant itself."""

Seen = dict[Value, Any]
"""Each constant that a product was met at, and the way in which that one reads it."""


def keep_weights_apart(graph: Graph, seen: Seen | None = None) -> bool:
    """Copy constants that products read in more than one way, in place; subgraphs too.

    A gradient reads a weight once as it is and once transposed. OpenVINO 2026.4 packs weights and
    finds them again by their address, whichever way they were packed: then numbers are wrong.
    """
    seen = {} if seen is None else seen
    changed = False
    for node in graph.nodes():
        changed |= run_within(partial(keep_weights_apart, seen=seen), graph, node)
        if node.domain or node.op_type not in _PRODUCTS:
            continue
        for k, value in enumerate(node.inputs):
            if value is not None:
                changed |= _keep_apart(graph, node, k, value, seen)
    return changed


def _keep_apart(graph: Graph, node: Node, k: int, value: Value, seen: Seen) -> bool:
    root, views = value, list[Node]()
    while (maker := graph.producer(root)) is not None and maker.op_type in _VIEWS:
        views.append(maker)
        root = maker.first_input
    if maker is not None or root.constant is None or not _is_matrix(root):
        return False
    passed = [(view.op_type, freeze(view.attributes)) for view in views]
    way = (node.op_type, k, freeze(node.attributes), value.shape, passed)
    if seen.setdefault(root, way) == way:
        return False
    op = Ops(graph, node.position, f"{node.title}/")
    copy = op.constant(root.constant, name=f"{root.name}_copy")
    for view in reversed(views):
        copy = op.emit(view.op_type, copy, *view.inputs[1:], **view.attributes)
    node.inputs = tuple(copy if i == k else v for i, v in enumerate(node.inputs))
    graph.reconnect(node)
    return True


def _is_matrix(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.rank is not None and value.rank >= 2
