"""What the backward part of a body reads of each forward step: where it is kept, how it is read.

Kept are, in this order of preference: nothing (a step's number is computed, a tape that the
forward part reads is read again), an output that is there already, a tensor that stacks the
value's steps where its shape is certainly the same in all of them, a sequence.
"""

from collections.abc import Sequence, Set

from ...emission.naming import GRADIENT
from ...errors import GradientError
from ...graph.ir import Graph, Value
from ...graph.recurrence import NewTape, Recurrence, Tape, is_invariant, sizes_outside, steps_dim
from ...graph.types import Dim, SequenceType, TensorType, as_dtype, fresh_dim


def tapes_of(
    outer: Graph, loop: Recurrence, values: Sequence[Value]
) -> dict[Value, tuple[Value, Tape]]:
    """Give the tapes that hold a body's values of every step; they are added where missing."""
    written = zip(loop.entries_out, loop.written, loop.output_tapes, strict=True)
    read = zip(loop.entries_in, loop.read, loop.input_tapes, strict=True)
    found: dict[Value, tuple[Value, Tape]] = {}
    for entry, given, spec in (*read, *written):
        if given is not None:
            found.setdefault(entry, (given, spec))
    missing = [v for v in dict.fromkeys(values) if v not in found]
    outside, steps = sizes_outside(loop), steps_dim(loop)
    added = [
        NewTape(v, Tape(0, False, _kept(loop, v, outside, steps)), name=f"{GRADIENT}{v.name}/steps")
        for v in missing
    ]
    if not loop.is_composite and any(isinstance(t.spec.type, SequenceType) for t in added):
        loop.make_composite(() if loop.lead else lead_inputs(loop.body))
    for tape, given in zip(added, loop.extend(outer, written=added), strict=True):
        found[tape.entry] = given, tape.spec
    return found


def _kept(
    loop: Recurrence, value: Value, outside: Set[str], steps: Dim
) -> TensorType | SequenceType:
    """Give the type of the tape that holds a value of every step."""
    type_ = value.type
    if not isinstance(type_, TensorType):
        raise GradientError(
            f"the gradient of {loop.node.op_type} needs '{value.name}' of every step, which is "
            f"{value.type}; only tensors can be kept"
        )
    if is_invariant(type_, outside):
        return TensorType(type_.dtype, (steps, *(type_.shape or ())))
    return SequenceType(TensorType(type_.dtype, None if type_.shape is None else _loose(type_)))


def _loose(type_: TensorType) -> tuple[int | str, ...]:
    return tuple(d if isinstance(d, int) else fresh_dim() for d in type_.shape or ())


def lead_inputs(body: Graph) -> list[Value]:
    """Add the first two values that a body of Loop and Iterate takes: step number, condition."""
    return [
        body.add_value(Value(body.names.fresh(f"{GRADIENT}{name}"), type_))
        for name, type_ in _LEAD.items()
    ]


_LEAD = {"step": TensorType(as_dtype("int64"), ()), "going": TensorType(as_dtype("bool"), ())}
