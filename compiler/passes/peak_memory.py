"""The most bytes that a graph holds at once, each value freed after its last reader.

Views share the memory of what they show, as they do in NumPy. What kernels hold while they run is
not counted.
"""

from dataclasses import dataclass, field

from ..graph.ir import Graph, Node, Value
from ..standard.traits import VIEWS
from .operator_costs import bytes_of

_STRIDED = frozenset({"Expand", "Slice", "Split", "Transpose"})
"""What gives a view whose elements lie in another order, or apart."""

_NEEDS_ORDER = frozenset({"Flatten", "Reshape"})
"""What copies such a view."""


@dataclass(slots=True)
class Lifetimes:
    """When the memory of each computed value is held, by the places of nodes in their order.

    `roots` gives whose memory a value lies in, its own or that of what it is a view of; `start` and
    `end` when a root is computed and read for the last time; what the graph gives has no end.
    """

    nodes: list[Node]
    roots: dict[Value, Value] = field(default_factory=dict)
    start: dict[Value, int] = field(default_factory=dict)
    end: dict[Value, int] = field(default_factory=dict)
    sizes: dict[Value, int] = field(default_factory=dict)
    held: list[int] = field(default_factory=list)
    """Bytes held while each node runs."""
    place_of: dict[Value, int] = field(default_factory=dict)
    """The place of the node that computes each value."""

    @property
    def peak(self) -> int:
        """The place of the node that runs while most is held; −1 where nothing runs."""
        return max(range(len(self.held)), key=self.held.__getitem__, default=-1)

    @property
    def most(self) -> int:
        """The most bytes held."""
        return max(self.held, default=0)


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
    lives = lifetimes(graph)
    place = lives.peak
    return Peak(lives.held[place], lives.nodes[place]) if place >= 0 else Peak(_fixed(graph), None)


def lifetimes(graph: Graph) -> Lifetimes:
    """Follow one run of a graph.

    Raises:
        UnknownSize: a size is no number.
    """
    lives = Lifetimes([n for n in graph.nodes() if runs(n)])
    _find_roots(lives)
    last: dict[Value, int] = {}
    for k, node in enumerate(lives.nodes):
        for value in (*node.reads(), *node.writes()):
            last[lives.roots.get(value, value)] = k
    kept = {lives.roots.get(v, v) for v in graph.outputs}
    lives.end = {v: last[v] for v in lives.start if v not in kept}
    freed: dict[int, int] = {}
    for value, k in lives.end.items():
        freed[k] = freed.get(k, 0) + lives.sizes[value]
    held = _fixed(graph)
    for k, node in enumerate(lives.nodes):
        held += sum(lives.sizes[v] for v in node.writes() if lives.roots[v] is v)
        lives.held.append(held)
        held -= freed.get(k, 0)
    return lives


def _fixed(graph: Graph) -> int:
    """Count inputs and constants, which stay."""
    return sum(bytes_of(v) for v in graph.values() if graph.producer(v) is None)


def _find_roots(lives: Lifetimes) -> None:
    roots, strided = lives.roots, set()
    for k, node in enumerate(lives.nodes):
        source = node.inputs[0] if node.inputs else None
        is_strided = source in strided
        is_view = node.op_type in VIEWS | _STRIDED and not node.domain and source is not None
        if is_view and is_strided and node.op_type in _NEEDS_ORDER:
            is_view = is_strided = False
        for value in node.writes():
            roots[value] = roots.get(source, source) if is_view and source else value
            lives.place_of[value] = k
            if roots[value] is value:
                lives.start[value], lives.sizes[value] = k, bytes_of(value)
            if is_view and (is_strided or node.op_type in _STRIDED):
                strided.add(value)
