"""Remove work that changes nothing; each rule's docstring gives its rewrite as an arrow."""

from collections.abc import Callable

import numpy as np

from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_on_subgraphs
from ..graph.types import TensorType
from ..inference.shapes import elements_of
from ..standard.schemas import attribute

Rewrite = Callable[[Ops, Graph, Node], Value | None]
"""Gives what may stand in place of a node's output, or None where the rule does not match."""


def simplify(graph: Graph) -> bool:
    """Apply every rule once to every node, subgraphs included."""
    changed = run_on_subgraphs(simplify, graph)
    for node in graph.nodes():
        rule = _RULES.get(node.op_type) if not node.domain and len(node.outputs) == 1 else None
        if rule is None:
            continue
        (old,) = node.outputs
        op = Ops(graph, node.position)
        new = rule(op, graph, node)
        if old is not None and new is not None and _substitute(op, node, old, new):
            changed = True
    return changed


def _substitute(op: Ops, node: Node, old: Value, new: Value) -> bool:
    graph = op.graph
    if old in graph.outputs:
        if not op.emitted:
            return False  # an output keeps its node: a copy in its place would gain nothing
        graph.redirect(new, old)
        graph.remove(node)
        return True
    if isinstance(old.type, TensorType) and isinstance(new.type, TensorType):
        new.elements = new.elements or old.elements
    graph.replace_uses(old, new)
    graph.remove(node)
    return True


def _identity(op: Ops, graph: Graph, node: Node) -> Value | None:
    """Identity(x) → x"""
    return node.inputs[0]


def _transpose(op: Ops, graph: Graph, node: Node) -> Value | None:
    """Transpose(x, 0, 1, …) → x;  Transpose(Transpose(x, p), q) → Transpose(x, p∘q)"""
    (x,) = node.required(1)
    perm = _permutation(node)
    if perm is None:
        return None
    if perm == sorted(perm):
        return x
    inner = graph.producer(x)
    if inner is None or inner.domain or inner.op_type != "Transpose":
        return None
    first = _permutation(inner)
    if first is None:
        return None
    combined = [first[k] for k in perm]
    return (
        inner.inputs[0]
        if combined == sorted(perm)
        else op.Transpose(inner.inputs[0], perm=combined)
    )


def _permutation(node: Node) -> list[int] | None:
    x = node.inputs[0]
    if x is None or x.rank is None:
        return None
    perm: list[int] = node.attributes.get("perm") or list(range(x.rank))[::-1]
    return perm


def _same_type(op: Ops, graph: Graph, node: Node) -> Value | None:
    """Reshape, Expand, Cast, CastLike to the type that x has → x"""
    x, (y,) = node.inputs[0], node.outputs
    return x if x is not None and y is not None and _provably_equal(x, y) else None


def _reshape(op: Ops, graph: Graph, node: Node) -> Value | None:
    """Reshape to x's shape → x;  Reshape(Reshape(x, s), t) → Reshape(x, t) if t copies nothing"""
    same = _same_type(op, graph, node)
    if same is not None:
        return same
    x, target = node.required(2)
    inner = graph.producer(x)
    if inner is None or inner.domain or inner.op_type not in _RESHAPES:
        return None
    wanted = elements_of(target)
    if not attribute(node, "allowzero") and (wanted is None or 0 in wanted):
        return None
    return op.Reshape(inner.inputs[0], target, **node.attributes)


_RESHAPES = {"Reshape", "Squeeze", "Unsqueeze", "Flatten"}


def _provably_equal(x: Value, y: Value) -> bool:
    return x.type == y.type and x.shape is not None


def _negate(op: Ops, graph: Graph, node: Node) -> Value | None:
    """Neg(Neg(x)) → x"""
    (x,) = node.inputs
    inner = None if x is None else graph.producer(x)
    return inner.inputs[0] if inner and not inner.domain and inner.op_type == "Neg" else None


def _neutral(number: float, sides: int) -> Rewrite:
    """x·1, 1·x, x/1, x + (−0), (−0) + x, x − 0 → x, where the shape stays; x + 0 turns −0 to 0."""

    def rule(op: Ops, graph: Graph, node: Node) -> Value | None:
        (y,) = node.outputs
        for k in range(sides):
            x, other = node.inputs[1 - k], node.inputs[k]
            if sides == 1:
                x, other = node.inputs
            if x is None or other is None or y is None or other.parameter:
                continue
            constant = other.constant
            if constant is None or constant.size == 0 or constant.dtype.kind not in "fiu":
                continue
            if _is_all(constant, number) and _provably_equal(x, y):
                return x
        return None

    return rule


def _is_all(constant: np.ndarray, number: float) -> bool:
    """Tell whether all elements are a number, its sign included where it is a zero of floats."""
    signed = constant.dtype.kind != "f" or np.signbit(constant) == np.signbit(number)
    return bool(np.all((constant == number) & signed))


_RULES: dict[str, Rewrite] = {
    "Identity": _identity,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Expand": _same_type,
    "Cast": _same_type,
    "CastLike": _same_type,
    "Neg": _negate,
    "Mul": _neutral(1, 2),
    "Div": _neutral(1, 1),
    "Add": _neutral(-0.0, 2),
    "Sub": _neutral(0, 1),
}
