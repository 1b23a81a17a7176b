"""Body of Iterate: a Loop that reads its tapes by position and carries its sequences as states."""

import numpy as np

from ..emission.ops import Ops
from ..errors import GraphError
from ..graph.ir import Graph, Node, Value
from ..graph.recurrence import Recurrence, Tape
from ..graph.types import SequenceType, TensorType, Type
from ..inference.shapes import refine
from .registry import form


@form("Iterate")
def iterate(op: Ops, node: Node) -> list[Value | None]:
    """A Scan where that can do it, else a Loop: it reads entry i of a tape by Gather (or
    SequenceAt), from the end at −1 − i, and writes by SequenceInsert where a sequence is written,
    else as Loop stacks, then reversed and transposed.
    """
    loop = Recurrence(node)
    if _is_scan(loop):
        return _scan(op, loop)
    count = node.inputs[0]
    if count is None and loop.read:
        count = length(op, loop.read[0], loop.input_tapes[0])
    states, outputs = loop.states, loop.output_tapes
    lists = [k for k, t in enumerate(outputs) if isinstance(t.type, SequenceType)]
    stacks = [k for k in range(len(outputs)) if k not in lists]
    grown = {k: _empty(op, outputs[k]) for k in lists}
    body = _loop_body(op, loop, grown, stacks)
    results = op.Loop(count, node.inputs[1], *loop.initial, *grown.values(), body=body)
    listed = list(results) if isinstance(results, tuple) else [results]
    given: list[Value | None] = listed[:states] + [None] * len(outputs)
    for k, result in zip(lists, listed[states:], strict=False):
        given[states + k] = result
    for k, result in zip(stacks, listed[states + len(lists) :], strict=True):
        given[states + k] = _placed(op, result, outputs[k], node.outputs[states + k])
    return given


def _is_scan(loop: Recurrence) -> bool:
    """Tell whether a Scan can do it: it wants a first step, tensors, states whose sizes stay.

    Scan's states keep their shape in every runtime that reserves memory for them beforehand.
    """
    node, body = loop.node, loop.body
    count = node.inputs[0]
    if node.inputs[1] is not None or any(body.consumers(v) for v in body.inputs[:2]):
        return False
    if count is None or count.constant is None or int(count.constant) < 1 or not loop.read:
        return False
    states = zip(loop.initial, loop.states_in, loop.states_out, strict=True)
    if any(a is None or not a.type == b.type == c.type for a, b, c in states):
        return False
    passed = [*node.inputs[2:], *node.outputs, *body.inputs[2:], *body.outputs[1:]]
    return body.outputs[0] is body.inputs[1] and all(
        v is not None and isinstance(v.type, TensorType) and v.rank is not None for v in passed
    )


def _scan(op: Ops, loop: Recurrence) -> list[Value | None]:
    """Give the body to a Scan: onnxruntime runs it faster than a Loop that gathers."""
    node, body = loop.node, loop.body
    inputs, outputs = loop.input_tapes, loop.output_tapes
    lead = body.inputs[:2]
    body.inputs, body.outputs = body.inputs[2:], body.outputs[1:]
    for value in lead:
        body.remove(value)
    results = op.Scan(
        *node.inputs[2:],
        body=body,
        num_scan_inputs=len(inputs),
        scan_input_axes=[t.axis for t in inputs],
        scan_input_directions=[int(t.backward) for t in inputs],
        scan_output_axes=[t.axis for t in outputs],
        scan_output_directions=[int(t.backward) for t in outputs],
    )
    return list(results) if isinstance(results, tuple) else [results]


def length(op: Ops, tape: Value, spec: Tape) -> Value:
    """Give the number of entries of a tape, a scalar."""
    if isinstance(tape.type, SequenceType):
        return op.SequenceLength(tape)
    return op.Gather(op.Shape(tape), spec.axis)


def _empty(op: Ops, spec: Tape) -> Value:
    assert isinstance(spec.type, SequenceType) and isinstance(spec.type.element, TensorType)
    result: Value = op.SequenceEmpty(dtype=spec.type.element.dtype)
    result.type = spec.type
    return result


def _loop_body(op: Ops, loop: Recurrence, grown: dict[int, Value], stacks: list[int]) -> Graph:
    """Rewrite the body in place: entries become reads, sequences become states."""
    body, inner = loop.body, Ops(loop.body, prefix=op.prefix)
    step, going = body.inputs[:2]
    for entry, tape, spec in zip(loop.entries_in, loop.read, loop.input_tapes, strict=True):
        position = inner.Sub(-1, step) if spec.backward else step
        body.replace_uses(entry, _at(inner, tape, position, spec, entry.type))
        body.remove(entry)
    states_in, states_out, written = loop.states_in, loop.states_out, loop.entries_out
    grown_in, grown_out = [], []
    for k, empty in grown.items():
        so_far = body.add_value(Value(body.names.fresh(f"{op.prefix}so_far"), empty.type))
        grown_in.append(so_far)
        where = [inner.constant(0)] if loop.output_tapes[k].backward else []
        grown_out.append(inner.SequenceInsert(so_far, written[k], *where))
    body.inputs = [step, going, *states_in, *grown_in]
    body.outputs = [body.outputs[0], *states_out, *grown_out, *(written[k] for k in stacks)]
    return body


def _at(inner: Ops, tape: Value, position: Value, spec: Tape, type_: Type) -> Value:
    if isinstance(tape.type, SequenceType):
        entry: Value = inner.SequenceAt(tape, position)
    else:
        entry = inner.Gather(tape, position, axis=spec.axis)
    if isinstance(type_, TensorType) and isinstance(entry.type, TensorType):
        entry.type = TensorType(type_.dtype, refine(entry.shape, type_.shape))
    return entry


def _placed(op: Ops, stack: Value, spec: Tape, y: Value | None) -> Value:
    """Bring what a Loop stacked along axis 0 into the order and to the axis that is wanted."""
    if spec.backward:
        first = np.iinfo(np.int64).min
        stack = op.Slice(stack, [-1], op.constant([first]), [0], [-1])
    if spec.axis == 0:
        return stack
    rank = stack.rank if y is None or y.rank is None else y.rank
    if rank is None:
        raise GraphError(f"a tape of unknown rank cannot be written along axis {spec.axis}")
    order = list(range(1, rank))
    order.insert(spec.axis % rank, 0)
    return op.Transpose(stack, perm=order)
