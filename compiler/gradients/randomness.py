"""Gradient of Dropout, by the mask that its forward drew: no seed is ever replayed."""

from ..broadcasting import cast_to
from ..ir import Node, Value
from ..ops import Ops
from .registry import Entries, Refused, gradient


@gradient("Dropout")
def dropout(op: Ops, node: Node, dy: Value | None, dmask: Value | None = None) -> Entries:
    """y = x·mask/(1 − ratio) while training, else y = x"""
    assert dy is not None
    _, *rest = node.inputs
    ratio, training = (*rest, None, None)[:2]
    entries = [None, Refused("its mask is drawn with the ratio, in jumps"), None]
    if training is None or (training.constant is not None and not training.constant.any()):
        return dy, *entries[1:]
    keep = op.Sub(1.0, op.like(0.5, dy) if ratio is None else cast_to(op, ratio, dy))
    scaled = op.Div(dy, op.Where(training, keep, 1.0))
    return op.Where(op.with_output(node, 1), scaled, 0.0), *entries[1:]
