"""Upgrade of Scan-8, which had a batch axis in front of the axis it runs along."""

from typing import Any

from ...emission.ops import Ops
from ...graph.ir import Graph, Value
from ...graph.types import TensorType
from .registry import Call, upgrade


@upgrade("Scan", before=9)
def scan(op: Ops, call: Call) -> None:
    """Scan over the batch; its body is the scan over the sequence.

    States have shape (batch, …), scan inputs and outputs (batch, sequence, …).
    """
    lengths = call.input(0)
    inputs = [call.tensor(k) for k in range(1, len(call.inputs))]
    directions = call.take("directions", [0] * int(call.attributes["num_scan_inputs"]))
    settings = {**call.attributes, "scan_input_directions": directions}
    outer = Graph(f"{settings['body'].name}/batch", op.graph.names)
    rows = [_row(outer, v) for v in inputs]
    length = None if lengths is None else _row(outer, lengths)
    outer.inputs = rows if length is None else [*rows, length]
    outer.outputs = _over_sequence(Ops(outer, prefix=op.prefix), rows, length, settings)
    call.inputs = [*inputs] if lengths is None else [*inputs, lengths]
    call.attributes = {"body": outer, "num_scan_inputs": len(outer.inputs)}


def _over_sequence(
    op: Ops, rows: list[Value], length: Value | None, settings: dict[str, Any]
) -> list[Value]:
    """Scan over one sequence, to its length where it has one; zeros fill up the scan outputs."""
    count = int(settings["num_scan_inputs"])
    states, tapes = rows[:-count], rows[-count:]
    steps = None if length is None else op.Reshape(length, [1])
    if steps is not None:
        tapes = [op.Slice(tape, [0], steps, [0]) for tape in tapes]
    found = op.Scan(*states, *tapes, **settings)
    results = list(found) if isinstance(found, tuple) else [found]
    if steps is None:
        return results
    rest = op.Concat([0], op.Sub(op.Shape(rows[-1], end=1), steps), axis=0)
    final = len(states)
    return [*results[:final], *(op.Pad(y, rest, None, [0]) for y in results[final:])]


def _row(graph: Graph, value: Value) -> Value:
    shape = None if value.shape is None else value.shape[1:]
    name = graph.names.fresh(f"{value.name}/row")
    return graph.add_value(Value(name, TensorType(value.dtype, shape)))
