"""What the backward part of a body reads of each forward step: where it is kept, how it is read.

Kept are, in this order of preference: nothing (a step's number is computed, a tape that the
forward part reads is read again), an output that is there already, a tensor that stacks the
value's steps where its shape is certainly the same in all of them, a sequence.
"""

from ...dims import symbols
from ...errors import GradientError
from ...ir import Graph, Node, Value
from ...naming import GRADIENT
from ...opset import COMPOSITE_DOMAIN
from ...recurrence import Recurrence, Tape
from ...types import SequenceType, TensorType, as_dtype, fresh_dim


def tape_of(outer: Graph, loop: Recurrence, value: Value) -> tuple[Value, Tape]:
    """Give the tape that holds a body's value of every step; it is added where it is missing."""
    for entry, given, spec in zip(loop.entries_in, loop.read, loop.input_tapes, strict=True):
        if entry is value and given is not None:
            return given, spec
    for entry, kept, spec in zip(loop.entries_out, loop.written, loop.output_tapes, strict=True):
        if entry is value and kept is not None:
            return kept, spec
    if not isinstance(value.type, TensorType):
        raise GradientError(
            f"the gradient of {loop.node.op_type} needs '{value.name}' of every step, which is "
            f"{value.type}; only tensors can be kept"
        )
    return _add_tape(outer, loop, value, value.type)


def _add_tape(
    outer: Graph, loop: Recurrence, value: Value, type_: TensorType
) -> tuple[Value, Tape]:
    node = loop.node
    kept: TensorType | SequenceType
    if is_invariant(loop, type_):
        kept = TensorType(type_.dtype, (steps_dim(loop), *(type_.shape or ())))
    else:
        kept = SequenceType(TensorType(type_.dtype, None if type_.shape is None else _loose(type_)))
        make_composite(loop)
    specs = [*loop.output_tapes, Tape(0, False, kept)]
    loop.body.outputs.append(value)
    name = outer.names.fresh(f"{GRADIENT}{value.name}/steps")
    tape = outer.add_output(node, len(node.outputs), Value(name, kept))
    if node.op_type != "Loop":
        prefix = "" if loop.is_composite else "scan_"
        node.attributes[f"{prefix}output_axes"] = [t.axis for t in specs]
        node.attributes[f"{prefix}output_directions"] = [int(t.backward) for t in specs]
    outer.reconnect(node)
    return tape, specs[-1]


def _loose(type_: TensorType) -> tuple[int | str, ...]:
    return tuple(d if isinstance(d, int) else fresh_dim() for d in type_.shape or ())


def is_invariant(loop: Recurrence, type_: TensorType) -> bool:
    """Tell whether a shape is certainly the same in all steps: it names only sizes from outside."""
    if type_.shape is None:
        return False
    outside = {
        name
        for value in (*loop.node.inputs, *loop.body.captures())
        if value is not None and isinstance(value.type, TensorType)
        for dim in value.shape or ()
        for name in symbols(dim)
    }
    return all(name in outside for dim in type_.shape for name in symbols(dim))


def steps_dim(loop: Recurrence) -> int | str:
    """Give the number of steps as a dimension, a fresh name where it is unknown."""
    tapes = [
        *zip(loop.read, loop.input_tapes, strict=True),
        *zip(loop.written, loop.output_tapes, strict=True),
    ]
    for value, spec in tapes:
        if value is not None and isinstance(value.type, TensorType) and value.shape is not None:
            return value.shape[spec.axis]
    return fresh_dim()


def make_composite(loop: Recurrence) -> None:
    """Turn a Loop or Scan into an Iterate, which writes sequences too; names and values stay."""
    node, body = loop.node, loop.body
    if loop.is_composite:
        return
    attributes = {
        "body": body,
        "states": loop.states,
        "input_axes": [t.axis for t in loop.input_tapes],
        "input_directions": [int(t.backward) for t in loop.input_tapes],
        "output_axes": [t.axis for t in loop.output_tapes],
        "output_directions": [int(t.backward) for t in loop.output_tapes],
    }
    if node.op_type == "Scan":
        lead = lead_inputs(body)
        body.inputs = [*lead, *body.inputs]
        body.outputs = [lead[1], *body.outputs]
        node.inputs = (None, None, *node.inputs)
    node.attributes.clear()
    node.attributes.update(attributes)
    node.domain, node.op_type = COMPOSITE_DOMAIN, "Iterate"
    loop.lead = 2


def lead_inputs(body: Graph) -> list[Value]:
    """Add the first two values that a body of Loop and Iterate takes: step number, condition."""
    return [
        body.add_value(Value(body.names.fresh(f"{GRADIENT}{name}"), type_))
        for name, type_ in _LEAD.items()
    ]


_LEAD = {"step": TensorType(as_dtype("int64"), ()), "going": TensorType(as_dtype("bool"), ())}


def never_stops(node: Node) -> bool:
    """Tell whether a Loop or Iterate runs all the steps of its count: no condition ever fails."""
    body: Graph = node.attributes["body"]
    condition = node.inputs[1] if len(node.inputs) > 1 else None
    if condition is not None and not _is_true(condition):
        return False
    going: Value | None = body.outputs[0]
    while going is not None and not _is_true(going) and going is not body.inputs[1]:
        producer = body.producer(going)
        if producer is None or producer.op_type not in ("Identity", "Cast") or producer.domain:
            return False
        going = producer.inputs[0]
    return True


def _is_true(value: Value) -> bool:
    return value.constant is not None and bool(value.constant.all())
