"""The most bytes that a graph holds at once, each value freed after its last reader.

Views share the memory of what they show, as they do in NumPy. What kernels hold while they run is
not counted.
"""

from dataclasses import dataclass

from ..graph.ir import Graph, Node, Value
from ..standard.traits import VIEWS
from .operator_costs import bytes_of

_STRIDED = frozenset({"Expand", "Slice", "Split", "Transpose"})
"""What gives a view whose elements lie in another order, or apart."""

_NEEDS_ORDER = frozenset({"Flatten", "Reshape"})
"""What copies such a view."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The most bytes at once, and the node that runs then: None where nothing runs."""

    held: int
    node: Node | None


def runs(node: Node) -> bool:
    """Tell whether a node computes something that is not known yet."""
    return any(v.constant is None for v in node.writes())


def peak_of(graph: Graph) -> Peak:
    """Give the peak of one run: inputs and constants, and what is alive beside them.

    Raises:
        UnknownSize: a size is no number.
    """
    nodes = [n for n in graph.nodes() if runs(n)]
    roots = memory_roots(nodes)
    last = last_uses(graph, nodes, roots)
    held = sum(bytes_of(v) for v in graph.values() if graph.producer(v) is None)
    most = Peak(held, None)
    for k, node in enumerate(nodes):
        held += sum(bytes_of(v) for v in node.writes() if roots[v] is v)
        if held > most.held:
            most = Peak(held, node)
        held -= sum(bytes_of(v) for v in last.get(k, ()))
    return most


def memory_roots(nodes: list[Node]) -> dict[Value, Value]:
    """Give whose memory each computed value lies in: its own, or that of what it is a view of."""
    roots: dict[Value, Value] = {}
    strided: set[Value] = set()
    for node in nodes:
        source = node.inputs[0] if node.inputs else None
        is_strided = source in strided
        is_view = node.op_type in VIEWS | _STRIDED and not node.domain and source is not None
        if is_view and is_strided and node.op_type in _NEEDS_ORDER:
            is_view = is_strided = False
        for value in node.writes():
            roots[value] = roots.get(source, source) if is_view and source else value
            if is_view and (is_strided or node.op_type in _STRIDED):
                strided.add(value)
    return roots


def last_uses(graph: Graph, nodes: list[Node], roots: dict[Value, Value]) -> dict[int, list[Value]]:
    """List what is freed after each node, by the node's place; outputs stay."""
    kept = {roots.get(v, v) for v in graph.outputs}
    last: dict[Value, int] = {}
    for k, node in enumerate(nodes):
        for value in (*node.reads(), *node.writes()):
            root = roots.get(value)
            if root in roots and root is not None and root not in kept:
                last[root] = k
    freed: dict[int, list[Value]] = {}
    for value, k in last.items():
        freed.setdefault(k, []).append(value)
    return freed
