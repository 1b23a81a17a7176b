"""What the backward part of a body reads of each forward step: where it is kept, how it is read.

Kept are, in this order of preference: nothing (a step's number is computed, a tape that the
forward part reads is read again), an output that is there already, a tensor that stacks the
value's steps where its shape is certainly the same in all of them, a sequence.
"""

from ...emission.naming import GRADIENT
from ...errors import GradientError
from ...graph.ir import Graph, Value
from ...graph.recurrence import NewTape, Recurrence, Tape, is_invariant, steps_dim
from ...graph.types import SequenceType, TensorType, as_dtype, fresh_dim


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
    kept: TensorType | SequenceType
    if is_invariant(loop, type_):
        kept = TensorType(type_.dtype, (steps_dim(loop), *(type_.shape or ())))
    else:
        kept = SequenceType(TensorType(type_.dtype, None if type_.shape is None else _loose(type_)))
        if not loop.is_composite:
            loop.make_composite(() if loop.lead else lead_inputs(loop.body))
    tape = NewTape(value, Tape(0, False, kept), name=f"{GRADIENT}{value.name}/steps")
    (steps,) = loop.extend(outer, written=[tape])
    return steps, tape.spec


def _loose(type_: TensorType) -> tuple[int | str, ...]:
    return tuple(d if isinstance(d, int) else fresh_dim() for d in type_.shape or ())


def lead_inputs(body: Graph) -> list[Value]:
    """Add the first two values that a body of Loop and Iterate takes: step number, condition."""
    return [
        body.add_value(Value(body.names.fresh(f"{GRADIENT}{name}"), type_))
        for name, type_ in _LEAD.items()
    ]


_LEAD = {"step": TensorType(as_dtype("int64"), ()), "going": TensorType(as_dtype("bool"), ())}
