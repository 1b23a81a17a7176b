"""Gradients of sequence and optional operators.

The gradient of a sequence is a sequence of as many elements; that of an optional is an optional of
the gradient of what it holds, and empty where it is empty.
"""

from ..differentiation.rules import Entries, gradient
from ..emission.ops import Ops
from ..emission.sequences import element, zeros_like
from ..graph.ir import Node, Value
from ..graph.types import OptionalType, TensorType, as_dtype, fresh_dim
from ..standard.schemas import attribute

_SIZES = TensorType(as_dtype("int64"), (fresh_dim(),))


@gradient("SequenceConstruct")
def sequence_construct(op: Ops, node: Node, dy: Value) -> Entries:
    """dxₖ = dy[k]"""
    return tuple(op.SequenceAt(dy, k) for k in range(len(node.inputs)))


@gradient("SequenceInsert")
def sequence_insert(op: Ops, node: Node, dy: Value) -> Entries:
    """y is s with x at position k: ds is dy without element k, dx = dy[k]"""
    at: Value | None = node.inputs[2] if len(node.inputs) > 2 else None
    if at is None:
        where = op.constant(-1)
    else:  # −1 stands before the last element of s, which is the second last of y
        at = _integer(op, at)
        where = op.Where(op.Less(at, 0), op.Sub(at, 1), at)
    return op.SequenceErase(dy, where), op.SequenceAt(dy, where), None


@gradient("SequenceErase")
def sequence_erase(op: Ops, node: Node, dy: Value) -> Entries:
    """y is s without element k: ds is dy with zeros at position k"""
    where = _position(op, node)
    zero = zeros_like(op, op.SequenceAt(node.inputs[0], where))
    return op.SequenceInsert(dy, zero, where), None


@gradient("SequenceAt")
def sequence_at(op: Ops, node: Node, dy: Value) -> Entries:
    """y = s[k]: ds is zero but for dy at position k"""
    s, where = node.first_input, _position(op, node)
    return op.SequenceInsert(op.SequenceErase(zeros_like(op, s), where), dy, where), None


@gradient("SplitToSequence")
def split_to_sequence(op: Ops, node: Node, dy: Value) -> Entries:
    """The parts are joined again"""
    cut = len(node.inputs) > 1 and node.inputs[1] is not None
    stacked = not cut and not attribute(node, "keepdims")
    axis = attribute(node, "axis")
    return op.ConcatFromSequence(dy, axis=axis, new_axis=int(stacked)), None


@gradient("ConcatFromSequence")
def concat_from_sequence(op: Ops, node: Node, dy: Value) -> Entries:
    """dy is cut where the elements were joined"""
    (s,), axis = node.required(1), node.attributes["axis"]
    if attribute(node, "new_axis"):
        return op.SplitToSequence(dy, axis=axis, keepdims=0)
    sizes = op.composite("SequenceSizes", s, types=[_SIZES], axis=axis)
    return op.SplitToSequence(dy, sizes, axis=axis)


@gradient("Optional")
def optional(op: Ops, node: Node, dy: Value) -> Entries:
    """dx is what dy holds"""
    return tuple(element(op, dy) for _ in node.inputs)


@gradient("OptionalGetElement")
def optional_get_element(op: Ops, node: Node, dy: Value) -> Entries:
    """dx = dy, as an optional where x is one"""
    x = node.first_input
    return op.Optional(dy) if isinstance(x.type, OptionalType) else dy


def _position(op: Ops, node: Node) -> Value:
    """Give the position that a node names, counted from the front; the last one by default."""
    s, *rest = node.inputs
    length = op.SequenceLength(s)
    if not rest or rest[0] is None:
        return op.Sub(length, 1)
    at = _integer(op, rest[0])
    result = op.Where(op.Less(at, 0), op.Add(at, length), at)
    return result


def _integer(op: Ops, at: Value) -> Value:
    """Give a position as an int64 scalar."""
    at = at if at.shape == () else op.Squeeze(at)
    return op.Cast(at, to="int64")
