"""Bodies of attention: ONNX's own, with a gradient where it has none."""

from collections.abc import Iterator, Sequence

from ..functions import emit_function_body
from ..ir import Graph, Node, Value
from ..ops import Ops
from .registry import standard_body


@standard_body("Attention")
def attention(op: Ops, node: Node) -> Sequence[Value | None]:
    """ONNX's body, where a row that is masked as a whole has the gradient zero instead of NaN.

    There Softmax gives NaN and the body puts zeros in its place; the zeros that come back would
    meet that NaN:  Where(masked, 0, Softmax(x)) → Where(masked, 0, Softmax(Where(masked, 0, x)))
    """
    before = set(op.graph.nodes())
    results = emit_function_body(op, node)
    emitted = [n for n in op.graph.nodes() if n not in before]
    for softmax, masked in _masked_softmaxes(op.graph, emitted):
        (x,) = softmax.inputs
        assert x is not None
        softmax.inputs = (op.Where(masked, op.like(0, x), x),)
        op.graph.reconnect(softmax)
    return results


def _masked_softmaxes(graph: Graph, nodes: Sequence[Node]) -> Iterator[tuple[Node, Value]]:
    """Find each Softmax whose masked rows are replaced, and the mask."""
    for node in nodes:
        if node.op_type != "Where" or node.inputs[2] is None:
            continue
        source = graph.producer(node.inputs[2])
        while source is not None and source.op_type == "Cast" and source.inputs[0] is not None:
            source = graph.producer(source.inputs[0])
        if source is not None and source.op_type == "Softmax" and node.inputs[0] is not None:
            yield source, node.inputs[0]
