"""Let what was emitted take the place of a node; it emits nothing but copies of names."""

from collections.abc import Sequence

from ..errors import GraphError
from ..graph.ir import Node, Value
from ..graph.types import TensorType
from ..inference.shapes import refine
from .ops import Ops


def put_in_place(op: Ops, node: Node, results: Sequence[Value | None]) -> None:
    """Let what was emitted compute a node's outputs, which stay what they are; drop the node."""
    graph = op.graph
    if len(results) < len(node.outputs):
        raise GraphError(f"the body of {node.operator} gives {len(results)} outputs")
    pairs: list[tuple[Value, Value]] = []
    for old, new in zip(node.outputs, results, strict=False):
        if old is None:
            continue
        if new is None:
            raise GraphError(f"the body of {node.operator} does not give '{old.name}'")
        if not new.name.startswith(op.prefix) or any(new is other for _, other in pairs):
            new = op.Identity(new)  # it has a name of its own, and the output needs its name
        pairs.append((old, new))
    for old, new in pairs:
        if isinstance(old.type, TensorType) and isinstance(new.type, TensorType):
            old.type = TensorType(old.dtype, refine(old.shape, new.shape))
            old.elements, old.constant = new.elements, new.constant
        graph.redirect(new, old)
    for emitted in op.emitted:
        emitted.module = emitted.module or node.module
    graph.remove(node)
