"""Gradient of Loop, Scan and Iterate: an Iterate that walks the steps backwards.

Its states are the cotangents of the states and, for each captured value, the sum of its gradient;
its tapes are the cotangents of what was written, and the residuals. So it reads and writes as a
Scan does, and its own gradient is linear in the number of steps again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...composites.iterate import length
from ...differentiation.activity import Active, activity, recurrence_flow
from ...differentiation.rules import Entry, GradientOps, composite_gradient, gradient
from ...emission.accumulation import as_float32, cast_to, is_half
from ...emission.naming import GRADIENT
from ...emission.ops import Ops
from ...emission.sequences import add, zeros_like
from ...graph.ir import Graph, Node, Value
from ...graph.recurrence import Recurrence, Tape, never_stops
from ...graph.types import TensorType, Type, is_static
from .backward import Backward, differentiate, recompute_sequences
from .residuals import lead_inputs, tapes_of


@dataclass
class _Reverse:
    """The backward Iterate under construction: a body and what it is called with."""

    graph: Graph
    initial: list[Value] = field(default_factory=list)
    states_in: list[Value] = field(default_factory=list)
    states_out: list[Value] = field(default_factory=list)
    read: list[tuple[Value, Tape]] = field(default_factory=list)
    entries_in: list[Value] = field(default_factory=list)
    written: list[Tape] = field(default_factory=list)
    entries_out: list[Value] = field(default_factory=list)
    types: list[Type] = field(default_factory=list)

    def emit(self, op: Ops, count: Value) -> Sequence[Value]:
        """Emit the Iterate; give its final states and tapes."""
        going = self.graph.inputs[1]
        self.graph.inputs = [*self.graph.inputs, *self.states_in, *self.entries_in]
        self.graph.outputs = [going, *self.states_out, *self.entries_out]
        results = op.composite(
            "Iterate",
            count,
            None,
            *self.initial,
            *(tape for tape, _ in self.read),
            types=self.types,
            body=self.graph,
            states=len(self.initial),
            input_axes=[t.axis for _, t in self.read],
            input_directions=[int(t.backward) for _, t in self.read],
            output_axes=[t.axis for t in self.written],
            output_directions=[int(t.backward) for t in self.written],
        )
        return results if isinstance(results, tuple) else (results,)


@composite_gradient("Iterate")
@gradient("Loop", "Scan")
def recurrence(op: GradientOps, node: Node, *dys: Value | None) -> Mapping[Value, Entry]:
    """Step backwards: dstateᵢ = ∂(stateᵢ₊₁, outᵢ)/∂stateᵢᵀ·(dstateᵢ₊₁, doutᵢ), captures add up."""
    loop = Recurrence(node)
    active = activity(loop, op.path, [dy is not None for dy in dys])
    flow = recurrence_flow(loop, active)
    if not flow.of or not flow.wrt:
        return {}
    part = differentiate(flow, dense=[loop.states_in[k] for k in active.states])
    part = recompute_sequences(loop.body, part)
    reverse = _Reverse(part.graph)
    reverse.graph.inputs = lead_inputs(part.graph)
    count = _count(op, loop)
    _read_residuals(op, loop, part, reverse, count)
    gradients = dict(zip(part.wrt, part.graph.outputs, strict=True))
    op.graph.reconnect(node)
    _carry_states(op, loop, active, part, dys, reverse, gradients)
    captures = _accumulate(op, active, reverse, gradients)
    tapes = _write_entries(loop, active, reverse, gradients)
    if not reverse.types:
        return {}
    results = list(reverse.emit(op, count))
    first = len(reverse.states_in)
    written = zip(results[first:], reverse.written, tapes, strict=True)
    results[first:] = [_as_long(op, *parts) for parts in written]
    keys = [loop.initial[k] for k in active.states] + captures + tapes
    return _summed(op, keys, results)


def _as_long(op: Ops, written: Value, spec: Tape, read: Value | None) -> Value:
    """Give what was written the shape of what was read: over no steps a size is known if static."""
    if read is None or not isinstance(read.type, TensorType):
        return written
    if read.shape is not None:
        others = list(read.shape)
        del others[spec.axis]
        if is_static(tuple(others)):
            return written
    return op.Reshape(written, op.Shape(read), allowzero=1)


def _count(op: Ops, loop: Recurrence) -> Value:
    """Give the number of steps that were taken, a scalar."""
    node = loop.node
    for tape, spec in zip(loop.read, loop.input_tapes, strict=True):
        if tape is not None:
            return length(op, tape, spec)
    limit = node.inputs[0]
    if limit is not None and never_stops(node):
        scalar = limit if limit.shape == () else op.Squeeze(limit)
        return op.Max(scalar, 0)
    number = loop.body.inputs[0]
    return length(op, *tapes_of(op.graph, loop, [number])[number])


def _read_residuals(
    op: Ops, loop: Recurrence, part: Backward, reverse: _Reverse, count: Value
) -> None:
    graph, (step, going) = part.graph, reverse.graph.inputs
    entries: dict[Value, Value] = {}
    for value in part.residuals:
        if loop.lead and value is loop.body.inputs[0]:
            inner = Ops(graph, prefix=GRADIENT)
            graph.replace_uses(value, inner.Sub(inner.Sub(count, 1), step))
        elif loop.lead and value is loop.body.inputs[1]:
            graph.replace_uses(value, going)
        else:
            entry = graph.add_value(Value(graph.names.fresh(f"{GRADIENT}{value.name}"), value.type))
            graph.replace_uses(value, entry)
            entries[value] = entry
    tapes = tapes_of(op.graph, loop, list(entries))
    for value, entry in entries.items():
        _read(reverse, entry, *tapes[value])


def _read(reverse: _Reverse, entry: Value, tape: Value, spec: Tape) -> None:
    reverse.entries_in.append(entry)
    reverse.read.append((tape, Tape(spec.axis, not spec.backward, tape.type)))


def _carry_states(
    op: Ops,
    loop: Recurrence,
    active: Active,
    part: Backward,
    dys: Sequence[Value | None],
    reverse: _Reverse,
    gradients: Mapping[Value, Value],
) -> None:
    """Let the cotangents of the states be states, those of what was written be tapes."""
    carried = part.cotangents[: len(active.states)]
    states_in, starts = loop.states_in, loop.initial
    for k, cotangent in zip(active.states, carried, strict=True):
        dy, before = dys[k], states_in[k]
        reverse.initial.append(zeros_like(op, _final(op.graph, loop, k)) if dy is None else dy)
        reverse.states_in.append(cotangent)
        reverse.states_out.append(gradients[before])
        reverse.types.append(starts[k].type)
    specs = loop.output_tapes
    for k, cotangent in zip(active.written, part.cotangents[len(active.states) :], strict=True):
        tape = dys[loop.states + k]
        assert tape is not None
        _read(reverse, cotangent, tape, specs[k])


def _final(graph: Graph, loop: Recurrence, k: int) -> Value:
    """Give a final state, which becomes an output of the node where it was omitted."""
    final = loop.node.outputs[k]
    if final is not None:
        return final
    inside = loop.states_out[k]
    name = graph.names.fresh(f"{GRADIENT}{inside.name}/final")
    return graph.add_output(loop.node, k, Value(name, inside.type))


def _accumulate(
    op: Ops, active: Active, reverse: _Reverse, gradients: Mapping[Value, Value]
) -> list[Value | None]:
    """Let the gradient of each captured value add up over the steps, half precision in float32."""
    graph, inner = reverse.graph, Ops(reverse.graph, prefix=GRADIENT)
    captures = [v for v in active.captures if v in gradients]
    for value in captures:
        zeros = zeros_like(op, value, np.dtype(np.float32) if is_half(value) else None)
        term = as_float32(inner, gradients[value])
        so_far = Value(graph.names.fresh(f"{GRADIENT}{value.name}/sum"), zeros.type)
        reverse.initial.append(zeros)
        reverse.states_in.append(graph.add_value(so_far))
        reverse.states_out.append(add(inner, so_far, term))
        reverse.types.append(zeros.type)
    return list(captures)


def _write_entries(
    loop: Recurrence, active: Active, reverse: _Reverse, gradients: Mapping[Value, Value]
) -> list[Value | None]:
    """Let the gradients of the entries that were read be written, each where it was read."""
    tapes: list[Value | None] = []
    entries = list(zip(loop.entries_in, loop.read, loop.input_tapes, strict=True))
    for k in active.read:
        entry, tape, spec = entries[k]
        if tape is not None and entry in gradients:
            reverse.entries_out.append(gradients[entry])
            reverse.written.append(Tape(spec.axis, not spec.backward, tape.type))
            reverse.types.append(tape.type)
            tapes.append(tape)
    return tapes


def _summed(op: Ops, keys: Sequence[Value | None], results: Sequence[Value]) -> dict[Value, Entry]:
    """Pair values with their gradients; a value that enters in several ways gets their sum."""
    sums: dict[Value, Value] = {}
    for key, result in zip(keys, results, strict=True):
        if key is not None:
            if is_half(key):
                result = cast_to(op, result, key)
            sums[key] = add(op, sums[key], result) if key in sums else result
    return dict(sums)
