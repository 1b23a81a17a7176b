"""Find the values of which ONNX has no batch: containers and tensors of differing shapes.

It looks at types only and emits nothing.
"""

from collections.abc import Iterable, Set

from ..graph.dims import symbols
from ..graph.ir import Node, Value
from ..graph.types import TensorType
from ..standard.traits import MEASURES, SHAPED_BY_FIRST, SHAPED_BY_FLOATS


def ragged_values(nodes: Iterable[Node], batched: Iterable[Value]) -> set[Value]:
    """Give what may have another shape for each example, and every sequence and optional.

    Args:
        nodes: what depends on the batched values, in topological order.
        batched: values that are one per example, all of one shape.
    """
    varying = set(batched)
    known: set[str] = set()
    found: set[Value] = set()
    for node in nodes:
        reads, writes = list(node.reads()), list(node.writes())
        found.update(v for v in reads if is_container(v))
        known.update(*(_names(v) for v in reads if v not in found))
        same = measures(node) and not found.intersection(reads)
        if not same and varying.intersection(reads):
            varying.update(writes)
            if found.intersection(reads) or _decides_shape(node, varying):
                found.update(v for v in writes if _names(v) - known)
        found.update(v for v in writes if is_container(v))
        known.update(*(_names(v) for v in writes if v not in found))
    return found


def measures(node: Node) -> bool:
    """Tell whether a node reads nothing but a shape."""
    return node.operator in MEASURES


def is_container(value: Value) -> bool:
    """Tell whether a value is a sequence or an optional."""
    return not isinstance(value.type, TensorType)


def _decides_shape(node: Node, varying: Set[Value]) -> bool:
    """Tell whether the numbers in varying operands may decide the shape of what a node gives."""
    if node.subgraphs or node.op_type in SHAPED_BY_FIRST and node.inputs[0] in varying:
        return True
    others = [v for v in node.inputs[1:] if v in varying and v is not None and not is_container(v)]
    return any(v.dtype.kind in "iub" or node.op_type in SHAPED_BY_FLOATS for v in others)


def _names(value: Value) -> set[str]:
    """Give the names that a shape is made of; one of its own stands for an unknown rank."""
    if is_container(value):
        return set()
    if value.shape is None:
        return {f"rank of {value.name}"}
    return {name for dim in value.shape for name in symbols(dim)}
