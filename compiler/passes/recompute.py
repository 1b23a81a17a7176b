"""Compute cheap values again where they are read late, in place of keeping them.

f(x) → y; …; g(y, …)   becomes   f(x) → y; …; f(x) → y′; g(y′, …)

where most bytes are held between the two. It takes one value at a time, the one that saves most
bytes there per work, as long as that lowers the peak.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from ..errors import GraphError
from ..graph.ir import Graph, Node, Value
from ..opset import COMPOSITE_DOMAIN
from ..standard.randomness import is_random
from .mixed_precision import PRODUCTS
from .operator_costs import UnknownSize, cost_of
from .peak_memory import Lifetimes, lifetimes

PREFIX = "recomputed/"
"""Of the names of values that are computed again."""

_CHEAP = 4.0
"""Most operations per byte moved of what is computed again: elementwise operators, normalizations
and moves are far below, products of matrices far above."""

_LONGEST = 32
"""Most operators in a row that are run again for one value."""

_CALL = 1e3
"""What a call counts as in operations."""


@dataclass(slots=True)
class _Again:
    """What it takes to have a value again: nodes to run in order, and bytes that stay for them."""

    nodes: dict[Node, None] = field(default_factory=dict)
    kept: dict[Value, int] = field(default_factory=dict)
    work: float = 0.0


@dataclass(slots=True)
class _Move:
    """Values in one memory whose late readers, from a place on, are given copies."""

    root: Value
    values: list[Value]
    place: int
    again: _Again
    saved: int

    @property
    def worth(self) -> float:
        """Bytes saved per work; a call is some work by itself."""
        return self.saved / (self.again.work + _CALL)


class Recomputation:
    """Lowers the peak of a graph in place, value by value."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tried: set[tuple[Value, Node]] = set()
        self._works: dict[Node, float | None] = {}

    def lower(self, limit: int) -> int:
        """Lower the peak to at most `limit` bytes, or as far as possible; give what it is then.

        Raises:
            UnknownSize: a size is no number.
        """
        lives = lifetimes(self._graph)
        while lives.nodes and lives.most > limit:
            move = self._best(lives)
            if move is None:
                break
            undo = self._apply(lives, move)
            after = lifetimes(self._graph)
            if _rank(after) >= _rank(lives):
                for step in reversed(undo):
                    step()
                self._tried.add((move.root, lives.nodes[lives.peak]))
                after = lifetimes(self._graph)
            lives = after
        return lives.most

    def _best(self, lives: Lifetimes) -> _Move | None:
        """Give what saves most at the peak for the work that it takes."""
        moves = []
        for root, (place, values) in self._held_for_later(lives).items():
            again = _Again()
            if all(self._add(again, lives, v, root, place) for v in values):
                saved = lives.sizes[root] - sum(again.kept.values())
                if saved > 0:
                    moves.append(_Move(root, values, place, again, saved))
        return max(moves, key=lambda move: move.worth, default=None)

    def _held_for_later(self, lives: Lifetimes) -> dict[Value, tuple[int, list[Value]]]:
        """List what is held at the peak and not used there: its first late reader, what that and
        later ones read.
        """
        peak, node = lives.peak, lives.nodes[lives.peak]
        left_out = {lives.roots.get(v) for v in (*node.reads(), *node.writes())}
        found: dict[Value, tuple[int, list[Value]]] = {}
        for place, reader in enumerate(lives.nodes[peak + 1 :], peak + 1):
            for value in dict.fromkeys(reader.reads()):
                root = lives.roots.get(value)
                if root is None or root not in lives.end or lives.start[root] >= peak:
                    continue  # an input, an output, or not there yet
                if value not in reader.inputs:  # a subgraph captures it
                    left_out.add(root)
                elif lives.place_of[value] < peak:
                    values = found.setdefault(root, (place, []))[1]
                    if value not in values:
                        values.append(value)
        return {
            root: late
            for root, late in found.items()
            if root not in left_out and (root, node) not in self._tried
        }

    def _add(
        self, to: _Again, lives: Lifetimes, value: Value, gone: Value, place: int, depth: int = 0
    ) -> bool:
        """Add what it takes to have a value again at a place; False if that is too dear."""
        node = self._graph.producer(value)
        work = None if node is None else self._work(node)
        if node is None or work is None or depth > _LONGEST:
            return False
        if node in to.nodes:
            return True
        for source in dict.fromkeys(node.reads()):
            root = lives.roots.get(source)
            if root not in lives.end or root is not gone and lives.end[root] >= place:
                continue  # it is there
            size = 0 if lives.end[root] >= lives.peak else lives.sizes[root]
            deeper = _Again(dict(to.nodes), dict(to.kept))
            if self._add(deeper, lives, source, gone, place, depth + 1):
                if root is gone or sum(deeper.kept.values()) - sum(to.kept.values()) < size:
                    to.nodes, to.kept = deeper.nodes, deeper.kept
                    to.work += deeper.work
                    continue
            if root is gone:
                return False
            to.kept[root] = size
        to.nodes[node] = None
        to.work += work
        return True

    def _work(self, node: Node) -> float | None:
        if node not in self._works:
            self._works[node] = _work(node)
        return self._works[node]

    def _apply(self, lives: Lifetimes, move: _Move) -> list[Callable[[], object]]:
        """Run nodes again right before the first late reader; give what undoes it, in order."""
        graph = self._graph
        undo: list[Callable[[], object]] = []
        copies: dict[Value, Value] = {}
        position = lives.nodes[move.place].position
        for node in move.again.nodes:
            clone = graph.add_node(_cloned(graph, node, copies, position))
            undo.append(partial(graph.remove, clone))
        for reader in lives.nodes[move.place :]:
            for value in move.values:
                if value in reader.inputs:
                    _read_instead(graph, reader, value, copies[value])
                    undo.append(partial(_read_instead, graph, reader, copies[value], value))
        return undo


def recompute_within(graph: Graph, limit: int) -> None:
    """Lower the peak of a graph to at most `limit` bytes, in place.

    Raises:
        GraphError: that cannot be; it says how low the peak gets.
        UnknownSize: a size is no number.
    """
    least = Recomputation(graph).lower(limit)
    if least > limit:
        raise GraphError(
            f"the limit is {limit:,} bytes; the least possible is {least:,}, with all computed "
            "again that is cheap"
        )


def _rank(lives: Lifetimes) -> tuple[int, int]:
    """Order by the peak, then by how many places have it."""
    return lives.most, lives.held.count(lives.most)


def _cloned(graph: Graph, node: Node, copies: dict[Value, Value], position: int) -> Node:
    """Copy a node; `copies` gains what it gives."""
    for value in node.writes():
        name = graph.names.fresh(f"{PREFIX}{value.name.removeprefix(PREFIX)}")
        copies[value] = Value(name, value.type, None, False, value.elements)
    inputs = tuple(None if v is None else copies.get(v, v) for v in node.inputs)
    outputs = tuple(None if v is None else copies[v] for v in node.outputs)
    return Node(
        node.op_type, inputs, outputs, dict(node.attributes), node.domain, "", position, node.module
    )


def _read_instead(graph: Graph, reader: Node, old: Value, new: Value) -> None:
    reader.replace_input(old, new)
    graph.reconnect(reader)


def _work(node: Node) -> float | None:
    """Give operations and bytes of a node, None where it is dear or may give something else."""
    ours = node.domain in ("", COMPOSITE_DOMAIN) and node.op_type not in PRODUCTS
    if not ours or node.subgraphs or is_random(node):
        return None
    try:
        cost = cost_of(node)
    except UnknownSize:
        return None
    moved = cost.read + cost.written
    return cost.flops + moved if cost.flops <= _CHEAP * max(moved, 1.0) else None
