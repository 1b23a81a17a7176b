"""Gradient of Dropout, by the mask that its forward drew: no seed is ever replayed."""

from ..differentiation.rules import Entries, gradient
from ..emission.accumulation import accumulate, cast_to
from ..emission.ops import Ops
from ..graph.ir import Node, Value


@gradient("Dropout")
def dropout(op: Ops, node: Node, dy: Value, dmask: None = None) -> Entries:
    """y = x·mask/(1 − ratio) while training:  dx = dy·mask/(1 − ratio), dratio = Σ dy·y/(1 − ratio)

    Else y = x. The mask is the one that was drawn: by the ratio it only jumps.
    """
    _, *rest = node.inputs
    ratio, training = (*rest, None, None)[:2]
    if training is None or (training.constant is not None and not training.constant.any()):
        return dy, None, None
    keep = op.Sub(1.0, op.like(0.5, dy) if ratio is None else cast_to(op, ratio, dy))
    scaled = op.Div(dy, op.Where(training, keep, 1.0))
    dx = op.Where(op.with_output(node, 1), scaled, 0.0)
    if ratio is None:
        return dx, None, None
    by_element = op.Where(training, op.Mul(dx, node.outputs[0]), 0.0)
    total = accumulate(op, by_element, None, keepdims=0)
    return dx, op.Reshape(cast_to(op, total, ratio), op.Shape(ratio)), None
