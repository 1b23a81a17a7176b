"""Emit a Scan of one state that writes one tape, over steps that there may be none of."""

from collections.abc import Callable

from ..graph.ir import Graph, Value
from ..graph.types import TensorType, fresh_dim
from .ops import Ops

Step = Callable[..., tuple[Value, Value]]
"""`step(op, state, *entries)` gives the next state and what is written."""


def scan(op: Ops, state: Value, *tapes: Value, step: Step, axis: int, backward: bool) -> Value:
    """Give what `step` writes of a state and the entries of tapes along an axis, along that axis.

    The state and all entries have one shape. onnxruntime runs no Scan of no steps: where there may
    be none, one more comes last, whose result is dropped. onnx.reference runs none backward.
    """

    def turned(v: Value) -> Value:
        return op.Slice(v, [-1], [-(2**62)], [axis], [-1]) if backward else v

    size = None if tapes[0].shape is None else tapes[0].shape[axis]
    may_be_none = not isinstance(size, int) or size == 0
    tapes = tuple(map(turned, tapes))
    if may_be_none:
        tapes = tuple(op.Pad(tape, [0, 1], None, [axis]) for tape in tapes)
    _, written = op.Scan(
        state,
        *tapes,
        body=_body(op, state, tapes, step),
        num_scan_inputs=len(tapes),
        scan_input_axes=[axis] * len(tapes),
        scan_output_axes=[axis],
    )
    return turned(op.Slice(written, [0], [-1], [axis]) if may_be_none else written)


def _body(op: Ops, state: Value, tapes: tuple[Value, ...], step: Step) -> Graph:
    body = Graph("step", op.graph.names)
    inner = Ops(body, prefix=op.prefix)
    shape = None if state.rank is None else tuple(fresh_dim() for _ in range(state.rank))
    for name in ("state", *("entry" for _ in tapes)):
        value = Value(body.names.fresh(f"{op.prefix}{name}"), TensorType(state.dtype, shape))
        body.inputs.append(body.add_value(value))
    after, written = step(inner, *body.inputs)
    body.outputs = [after, inner.Identity(written) if written is after else written]
    return body
