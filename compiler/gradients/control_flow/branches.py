"""Gradient of If: an If on the same condition whose branches are the branches' gradients."""

from collections.abc import Mapping
from math import prod

import numpy as np

from ...differentiation.activity import branch_flow
from ...differentiation.rules import Entry, GradientOps, gradient
from ...emission.naming import GRADIENT
from ...emission.ops import Ops
from ...emission.sequences import zeros_like
from ...errors import GradientError
from ...graph.ir import Graph, Node, Value
from ...graph.types import SequenceType, TensorType, Type
from ...inference.control_flow_types import join
from .backward import Backward, differentiate

_FEW = 16
"""How many elements a constant may have that nothing reads."""


@gradient("If")
def branch(op: GradientOps, node: Node, *dys: Value | None) -> Mapping[Value, Entry]:
    """The gradients of both branches, of which the one that was taken runs; zeros where unused.

    What a branch's gradient reads leaves the If as further outputs, for which the other branch
    gives constants.
    """
    arriving = [dy is not None for dy in dys]
    given = [dy for dy in dys if dy is not None]
    branches: list[Graph] = [node.attributes["then_branch"], node.attributes["else_branch"]]
    parts = [differentiate(branch_flow(b, op.path, arriving)) for b in branches]
    captures = list(dict.fromkeys(v for part in parts for v in part.wrt))
    for own, other, part in zip(branches, branches[::-1], parts, strict=True):
        _save(op.graph, node, own, other, part)
    op.graph.reconnect(node)
    if not captures:
        return {}
    for part in parts:
        _finish(part, given, captures)
    results = op.emit_all(
        "If",
        node.inputs[0],
        then_branch=parts[0].graph,
        else_branch=parts[1].graph,
        outputs=len(captures),
    )
    return {v: dv for v, dv in zip(captures, results, strict=True) if dv is not None}


def _save(graph: Graph, node: Node, own: Graph, other: Graph, part: Backward) -> None:
    """Let a branch's residuals leave the If, and the branch's gradient read them outside."""
    for value in part.residuals:
        shared = [y for v, y in zip(own.outputs, node.outputs, strict=True) if v is value and y]
        if shared:
            part.graph.replace_uses(value, shared[0])
            continue
        inner, rebuild = _of_known_rank(own, value)
        read = []
        for saved in inner:
            filler = _filler(other, saved.type)
            own.outputs.append(saved)
            other.outputs.append(filler)
            name = graph.names.fresh(f"{GRADIENT}{value.name}/saved")
            kept = Value(name, join(saved.type, filler.type))
            read.append(graph.add_output(node, len(node.outputs), kept))
        restored = Ops(part.graph, prefix=GRADIENT).Reshape(*read, allowzero=1) if rebuild else None
        part.graph.replace_uses(value, read[0] if restored is None else restored)


def _of_known_rank(graph: Graph, value: Value) -> tuple[list[Value], bool]:
    """Give a value, or, where its rank is unknown, its elements and its shape."""
    if not isinstance(value.type, TensorType) or value.rank is not None:
        return [value], False
    op = Ops(graph, prefix=GRADIENT)
    return [op.Reshape(value, [-1]), op.Shape(value)], True


def _filler(graph: Graph, type_: Type) -> Value:
    """Add a constant of a type that nothing reads: of its sizes if few elements, else of ones.

    A runtime that knows the condition puts it in the place of what the other branch reads, and
    infers shapes there before it drops that branch: a shape of no elements, or sizes of 0, would
    be refused.
    """
    op = Ops(graph, prefix=GRADIENT)
    if isinstance(type_, TensorType):
        shape = tuple(d if isinstance(d, int) else 1 for d in type_.shape or ())
        shape = shape if prod(shape) <= _FEW else (1,) * len(shape)
        return op.constant(np.ones(shape, type_.dtype), name="unread")
    if isinstance(type_, SequenceType) and isinstance(type_.element, TensorType):
        return op.SequenceEmpty(dtype=type_.element.dtype)
    raise GradientError(f"a value of type {type_} that the gradient of a branch reads")


def _finish(part: Backward, cotangents: list[Value], captures: list[Value]) -> None:
    """Give a branch's gradient its outputs: one for each capture, zeros for those it ignores."""
    graph = part.graph
    op = Ops(graph, prefix=GRADIENT)
    for placeholder, dy in zip(part.cotangents, cotangents, strict=True):
        graph.replace_uses(placeholder, _as_of(op, placeholder, dy))
        graph.remove(placeholder)
    known = dict(zip(part.wrt, graph.outputs, strict=True))
    graph.outputs = [known[v] if v in known else zeros_like(op, v) for v in captures]


def _as_of(op: Ops, y: Value, dy: Value) -> Value:
    """Give dy, or NaN of the shape of y where the two are known to differ.

    What follows the If then fits its other branch only, so this one cannot be taken; but a runtime
    infers its shapes.
    """
    if not isinstance(y.type, TensorType) or y.shape is None or dy.shape is None:
        return dy
    known = zip(y.shape, dy.shape, strict=False)
    differ = any(isinstance(p, int) and isinstance(q, int) and p != q for p, q in known)
    if not differ and len(y.shape) == len(dy.shape):
        return dy
    sizes = [d if isinstance(d, int) else 1 for d in y.shape]
    return op.Expand(op.constant(np.array(np.nan, y.dtype)), sizes)
