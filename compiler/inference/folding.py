"""Evaluate small nodes of known inputs by ONNX's reference; big ones are a backend's work."""

import numpy as np

from ..graph.ir import Node
from ..graph.types import TensorType, is_static
from ..opset import COMPOSITE_DOMAIN
from ..standard.protos import node_proto
from ..standard.randomness import is_random

LIMIT = 1024
"""Most elements of any input or output of a node that is folded while a graph is built."""


def fold(node: Node) -> bool:
    """Note the value of a node's outputs where all inputs are known; tell whether it did.

    Parameters are not folded: their values change when they are trained.
    """
    inputs = [v for v in node.inputs if v is not None]
    if not inputs and node.op_type != "Constant" or node.subgraphs:
        return False
    if any(v.constant is None or v.parameter or v.constant.size > LIMIT for v in inputs):
        return False
    for output in node.writes():
        if output.constant is None and not _is_small(output.type):
            return False
    if node.domain == COMPOSITE_DOMAIN or is_random(node):
        return False
    results = evaluate(node)
    if results is None:
        return False
    for value, result in zip(node.outputs, results, strict=False):
        if value is not None and isinstance(value.type, TensorType):
            value.constant = result
            value.type = TensorType(value.type.dtype, result.shape)
    return True


def evaluate(node: Node) -> list[np.ndarray] | None:
    """Run one node on its inputs' constants by onnx.reference; None where that cannot run it."""
    from onnx.reference import ReferenceEvaluator  # slow to import, and most graphs never need it

    inputs = ["" if v is None else f"i{k}" for k, v in enumerate(node.inputs)]
    outputs = ["" if v is None else f"o{k}" for k, v in enumerate(node.outputs)]
    proto = node_proto(node.op_type, node.domain, inputs, outputs, node.attributes)
    feeds = {n: v.constant for n, v in zip(inputs, node.inputs, strict=True) if v is not None}
    try:
        with np.errstate(all="ignore"):
            results = ReferenceEvaluator(proto).run(None, feeds)
    except Exception:  # whatever the reference cannot do stays in the graph, for a backend to do
        return None
    types = [v.type for v in node.writes()]
    for type_, result in zip(types, results, strict=False):
        if not isinstance(type_, TensorType) or np.asarray(result).dtype != type_.dtype:
            return None
    return [np.asarray(r) for r in results]


def _is_small(type_: object) -> bool:
    if not isinstance(type_, TensorType) or not is_static(type_.shape):
        return False
    return int(np.prod([int(d) for d in type_.shape or ()])) <= LIMIT
