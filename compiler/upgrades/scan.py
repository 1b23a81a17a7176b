"""Upgrade of Scan-8, which had a batch axis in front of the axis it runs along."""

from ..ir import Graph, Value
from ..ops import Ops
from ..types import TensorType
from .registry import Call, upgrade


@upgrade("Scan", before=9)
def scan(op: Ops, call: Call) -> None:
    """Scan over the batch; its body is the scan over the sequence.

    States have shape (batch, …), scan inputs and outputs (batch, sequence, …).
    """
    lengths, *inputs = call.inputs
    if lengths is not None:
        raise call.refusal("sequence_lens was dropped from ONNX in version 9")
    body: Graph = call.attributes["body"]
    count = int(call.attributes["num_scan_inputs"])
    directions = call.take("directions") or [0] * count
    outer = Graph(f"{body.name}/batch", op.graph.names)
    inside = [_row(outer, v) for v in inputs if v is not None]
    outer.inputs = inside
    results = Ops(outer, prefix=op.prefix).Scan(
        *inside, body=body, num_scan_inputs=count, scan_input_directions=directions
    )
    outer.outputs = [results] if isinstance(results, Value) else list(results)
    call.inputs = list(inputs)
    call.attributes = {"body": outer, "num_scan_inputs": len(inside)}


def _row(graph: Graph, value: Value) -> Value:
    shape = None if value.shape is None else value.shape[1:]
    name = graph.names.fresh(f"{value.name}/row")
    return graph.add_value(Value(name, TensorType(value.dtype, shape)))
