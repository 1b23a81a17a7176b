"""Run chosen operators in half precision, between casts; what they read and give stays float32.

Parameters stay float32, too: their gradients pass the casts, so they are the masters that training
moves.
"""

from collections.abc import Container

import numpy as np

from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import all_graphs
from ..graph.types import TensorType

PRODUCTS = ("Attention", "Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul")
"""Operators that are sums of products, where nearly all time goes."""

_SINGLE = np.dtype(np.float32)


def halve(graph: Graph, operators: Container[str], half: np.dtype) -> int:
    """Run operators in half precision, those of subgraphs too, in place; tell how many."""
    count = 0
    for inner in list(all_graphs(graph)):
        narrowed: dict[Value, Value] = {}
        for node in inner.nodes():
            if node.operator in operators and any(v and _is_single(v) for v in node.inputs):
                _halve(inner, node, half, narrowed)
                count += 1
    return count


def _halve(graph: Graph, node: Node, half: np.dtype, narrowed: dict[Value, Value]) -> None:
    prefix = f"{node.title}/"
    op = Ops(graph, node.position, prefix)
    inputs = [_narrow(op, v, half, narrowed) if v and _is_single(v) else v for v in node.inputs]
    results = op.emit_all(
        node.op_type,
        *inputs,
        outputs=["" if v is None else graph.names.fresh(f"{prefix}half") for v in node.outputs],
        name=node.name or None,
        **node.attributes,
    )
    put_in_place(op, node, [op.Cast(v, to=_SINGLE) if v else None for v in results])


def _narrow(op: Ops, x: Value, half: np.dtype, narrowed: dict[Value, Value]) -> Value:
    """Cast to half precision, once; what was widened from it is taken as it was."""
    node = op.graph.producer(x)
    if node is not None and node.operator == "Cast" and node.first_input.dtype == half:
        return node.first_input
    if x not in narrowed:
        narrowed[x] = op.Cast(x, to=half)
    return narrowed[x]


def _is_single(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.dtype == _SINGLE
