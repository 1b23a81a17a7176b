"""Bodies of operators that ONNX took over later, or has under another name."""

from ...emission.ops import Ops
from ...graph.ir import Node, Value
from ...standard.schemas import attribute
from ..registry import contrib_body


@contrib_body("GatherND")
def gather_nd(op: Ops, node: Node) -> Value:
    """ONNX's GatherND, whose indices may be int32"""
    x, indices = node.required(2)
    return op.GatherND(x, op.Cast(indices, to="int64"))


@contrib_body("Trilu")
def trilu(op: Ops, node: Node) -> Value:
    """ONNX's Trilu"""
    return op.Trilu(*node.inputs, **node.attributes)


@contrib_body("ExpandDims")
def expand_dims(op: Ops, node: Node) -> Value:
    """Unsqueeze at one axis"""
    x, axis = node.required(2)
    return op.Unsqueeze(x, op.Reshape(op.Cast(axis, to="int64"), [1]))


@contrib_body("Pad")
def pad(op: Ops, node: Node) -> Value:
    """ONNX's Pad; the pads may lie in a row"""
    x, pads = node.required(2)
    pads = pads if pads.rank == 1 else op.Reshape(pads, [-1])
    value = node.input(2)
    if value is not None and value.rank != 0:
        value = op.Squeeze(value)
    return op.Pad(x, pads, value, mode=attribute(node, "mode"))


@contrib_body("Range")
def arange(op: Ops, node: Node) -> Value:
    """ONNX's Range, whose step is 1 where it is omitted"""
    start, limit = node.required(2)
    step = node.input(2)
    given = (v if v.rank == 0 else op.Squeeze(v) for v in (start, limit))
    if step is None:
        return op.Range(*given, op.like(1, start))
    return op.Range(*given, step if step.rank == 0 else op.Squeeze(step))


@contrib_body("Unique")
def unique(op: Ops, node: Node) -> list[Value | None]:
    """The distinct elements in the order they come in, where each is found, and how often"""
    y, _, inverse, counts = op.Unique(node.first_input, sorted=0, outputs=4)
    return [y, inverse, counts]
