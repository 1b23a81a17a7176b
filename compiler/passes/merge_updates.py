"""Let a gradient be subtracted where it is summed up: one pass over a weight instead of three."""

from typing import Any

import numpy as np

from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_on_subgraphs
from ..standard.schemas import attribute


def merge_updates(graph: Graph) -> bool:
    """w − s·(A·B) → Gemm(A, B, w, alpha = −s), for a number s; transposed products too.

    And b − s·(the sum of the rows of G) → b + (−s, −s, …)·G.
    """
    changed = run_on_subgraphs(merge_updates, graph)
    for node in graph.nodes():
        if node.operator == "Sub" and _merge(graph, node):
            changed = True
    return changed


def _merge(graph: Graph, node: Node) -> bool:
    w, change = node.required(2)
    if w.shape is None or w.shape != change.shape:
        return False
    if w.dtype.kind != "f" or w.dtype.itemsize < 4:
        return False
    scaled = _alone(graph, change, "Mul")
    if scaled is None:
        return False
    for gradient, factor in (scaled.required(2), scaled.required(2)[::-1]):
        number = None if factor.parameter else factor.constant
        if number is None or number.size != 1 or gradient.shape != w.shape:
            continue
        op = Ops(graph, node.position, f"{node.title}/")
        merged = _less(op, w, -float(number.reshape(())), gradient)
        if merged is not None:
            put_in_place(op, node, [merged])
            return True
    return False


def _less(op: Ops, w: Value, factor: float, gradient: Value) -> Value | None:
    """Emit w + factor·gradient, where a product or a sum of rows gives the gradient."""
    if len(w.shape or ()) == 2 and (found := _product(op.graph, gradient)) is not None:
        a, b, settings = found
        settings["alpha"] = factor * settings.get("alpha", 1.0)
        merged: Value = op.Gemm(a, b, w, **settings)
        return merged
    rows = _summed_rows(op.graph, gradient)
    if rows is None or rows.shape is None or not isinstance(rows.shape[0], int):
        return None
    factors = np.full(rows.shape[0], factor, w.dtype)
    added: Value = op.Add(w, op.MatMul(op.constant(factors), rows))
    return added


def _summed_rows(graph: Graph, value: Value) -> Value | None:
    """Give the matrix whose rows a value sums up, for one reader only."""
    node = _alone(graph, value, "ReduceSum")
    if node is None or node.first_input.rank != 2 or attribute(node, "keepdims"):
        return None
    axes = node.input(1)
    known = None if axes is None or axes.parameter else axes.constant
    return node.first_input if known is not None and known.tolist() in ([0], [-2]) else None


def _product(graph: Graph, value: Value) -> tuple[Value, Value, dict[str, Any]] | None:
    """Read a product of matrices that nobody else reads: its factors and Gemm's attributes."""
    turned = _alone(graph, value, "Transpose")
    node = _alone(graph, turned.first_input if turned else value, "Gemm", "MatMul")
    if node is None or len(node.inputs) > 2 or any(v.rank != 2 for v in node.required(2)):
        return None
    a, b = node.required(2)
    if node.op_type == "MatMul":
        settings = {}
    else:
        settings = {name: attribute(node, name) for name in ("alpha", "transA", "transB")}
    if turned:
        swapped = {"transA": 1 - settings.get("transB", 0), "transB": 1 - settings.get("transA", 0)}
        return b, a, settings | swapped
    return a, b, settings


def _alone(graph: Graph, value: Value, *op_types: str) -> Node | None:
    """Give the node that computes a value for one reader only, if it is one of these operators."""
    node = graph.producer(value) if graph.owns(value) else None
    if node is None or node.domain or node.op_type not in op_types or value in graph.outputs:
        return None
    return node if len(graph.consumers(value)) == 1 else None
