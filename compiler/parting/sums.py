"""Operators that are not sums over examples but made of some: those are emitted for them."""

from collections.abc import Callable

from ..composites.losses import label_weights
from ..emission.accumulation import as_float32, cast_to
from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..standard.schemas import attribute
from .registry import Call, Mixed, Result, Rows, parting

LOSSES = ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss")


@parting(*LOSSES)
def unreduced(call: Call) -> Result:
    """Of scores (examples, classes, …) and labels without the classes."""
    if attribute(call.node, "reduction") != "none":
        return None
    scores, labels = call.of(0), call.of(1)
    if scores is None or labels is None or scores.axis == 1 or not call.only(0, 1):
        raise Mixed("compares examples with each other")
    if labels != Rows(scores.axis - (scores.axis > 1), scores.outer):
        raise Mixed("compares examples with each other")
    return [labels, scores][: len(call.node.outputs)]


def reduced_loss(op: Ops, node: Node) -> list[Value | None]:
    """Emit the sum of what a loss is for each label, over the sum of what counts for a mean."""
    scores, labels = node.required(2)
    attributes = {**node.attributes, "reduction": "none"}
    found = op.emit_all(node.op_type, *node.inputs, outputs=len(node.outputs), **attributes)
    assert found[0] is not None
    losses = as_float32(op, found[0])
    weights = node.input(2)
    if attribute(node, "reduction") == "sum":
        loss = op.ReduceSum(losses, keepdims=0)
    elif weights is None and node.attributes.get("ignore_index") is None:
        loss = op.ReduceMean(losses, keepdims=0)
    else:
        counted = label_weights(op, scores, labels, weights, node.attributes)
        counts = op.ReduceSum(as_float32(op, counted), keepdims=0)
        loss = op.Div(op.ReduceSum(losses, keepdims=0), counts)
    return [cast_to(op, loss, scores), *found[1:]]


def length(op: Ops, node: Node) -> list[Value | None]:
    """√Σx²"""
    x = as_float32(op, node.first_input)
    y = op.Sqrt(op.ReduceSumSquare(x, *node.inputs[1:], **node.attributes))
    return [cast_to(op, y, node.first_input)]


def log_sum(op: Ops, node: Node) -> list[Value | None]:
    """log Σx"""
    x = as_float32(op, node.first_input)
    y = op.Log(op.ReduceSum(x, *node.inputs[1:], **node.attributes))
    return [cast_to(op, y, node.first_input)]


MADE_OF_SUMS: dict[tuple[str, str], Callable[[Ops, Node], list[Value | None]]] = {
    **{("", name): reduced_loss for name in LOSSES},
    ("", "ReduceL2"): length,
    ("", "ReduceLogSum"): log_sum,
}
