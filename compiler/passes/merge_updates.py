"""Let a product be subtracted where it is computed: one pass over a weight instead of three."""

from typing import Any

from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_on_subgraphs
from ..standard.schemas import attribute


def merge_updates(graph: Graph) -> bool:
    """w − s·(A·B) → Gemm(A, B, w, alpha = −s), for a number s; transposed products too."""
    changed = run_on_subgraphs(merge_updates, graph)
    for node in graph.nodes():
        if node.operator == "Sub" and _merge(graph, node):
            changed = True
    return changed


def _merge(graph: Graph, node: Node) -> bool:
    w, change = node.required(2)
    if w.rank != 2 or w.shape != change.shape or w.dtype.kind != "f" or w.dtype.itemsize < 4:
        return False
    scaled = _alone(graph, change, "Mul")
    if scaled is None:
        return False
    for product, factor in (scaled.required(2), scaled.required(2)[::-1]):
        number = None if factor.parameter else factor.constant
        found = _product(graph, product) if product.shape == w.shape else None
        if number is None or number.size != 1 or found is None:
            continue
        a, b, settings = found
        settings["alpha"] = -float(number.reshape(())) * settings.get("alpha", 1.0)
        op = Ops(graph, node.position, f"{node.title}/")
        put_in_place(op, node, [op.Gemm(a, b, w, **settings)])
        return True
    return False


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
