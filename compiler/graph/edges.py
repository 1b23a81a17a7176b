"""Who computes a value, who reads it, and the order of nodes that follows; it owns no names."""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Generic, Protocol, TypeVar

import networkx as nx

from ..errors import GraphError


class Computes(Protocol):
    """What edges ask of a node."""

    position: int

    def writes(self) -> Iterator[Any]:
        """Yield the values that the node computes."""
        ...


V = TypeVar("V")
N = TypeVar("N", bound=Computes)


class Edges(Generic[V, N]):
    """The edges of one graph, both ways, in dicts: a walk through them costs no more than a lookup.

    A value that is read without having been added is a capture.
    """

    def __init__(self) -> None:
        self._producers: dict[V, N | None] = {}
        self._readers: dict[V, dict[N, None]] = {}
        self._captured: dict[V, dict[N, None]] = {}
        self._reads: dict[N, dict[V, None]] = {}
        self._order: list[N] | None = []
        self._has_gone = False
        self._next_position = 0

    def __contains__(self, item: object) -> bool:
        return item in self._reads or item in self._producers or item in self._captured

    def __len__(self) -> int:
        return len(self._reads)

    # Reading

    def producer(self, value: V) -> N | None:
        """Give the node that computes a value."""
        return self._producers.get(value)

    def readers(self, value: V) -> Iterable[N]:
        """Give the nodes that read a value."""
        return self._readers.get(value) or self._captured.get(value) or ()

    def captures(self) -> Iterable[V]:
        """Give what is read without having been added."""
        return self._captured

    def reads(self, node: N) -> Iterable[V]:
        """Give what a node reads, each value once."""
        return self._reads.get(node, ())

    def upstream(self, values: Iterable[V]) -> set[V | N]:
        """Give everything the values depend on, themselves included."""
        return self._reach(values, self._producers_of, self.reads)

    def downstream(self, values: Iterable[V]) -> set[V | N]:
        """Give everything that depends on the values, themselves included."""
        return self._reach(values, self.readers, lambda node: node.writes())

    def _producers_of(self, value: V) -> Iterable[N]:
        producer = self._producers.get(value)
        return () if producer is None else (producer,)

    def _reach(self, values: Iterable[V], nodes_of: Any, values_of: Any) -> set[V | N]:
        pending = [v for v in values if v in self]
        seen: set[V | N] = set(pending)
        while pending:
            for node in nodes_of(pending.pop()):
                if node in seen:
                    continue
                seen.add(node)
                for value in values_of(node):
                    if value not in seen:
                        seen.add(value)
                        pending.append(value)
        return seen

    def order(self) -> list[N]:
        """List the nodes in topological order, of those that are ready the least position first."""
        if self._order is None:
            self._order = self._sorted()
        elif self._has_gone:  # what is left of an order is an order
            self._order = [n for n in self._order if n in self._reads]
        self._has_gone = False
        return list(self._order)

    def _sorted(self) -> list[N]:
        order = sorted(self._reads, key=lambda node: node.position)
        return order if self._is_order(order) else self._in_order()

    def _is_order(self, nodes: list[N]) -> bool:
        """Tell whether each node comes after all that it needs."""
        computed: set[V] = set()
        producers = self._producers
        for node in nodes:
            for value in self._reads[node]:
                if value not in computed and producers.get(value) is not None:
                    return False
            computed.update(node.writes())
        return True

    def _in_order(self) -> list[N]:
        producers, readers = self._producers, self._readers
        waiting = {
            node: sum(1 for v in reads if producers.get(v) is not None)
            for node, reads in self._reads.items()
        }
        serial = {node: k for k, node in enumerate(waiting)}
        ready = [(n.position, k, n) for n, k in serial.items() if not waiting[n]]
        heapify(ready)
        order: list[N] = []
        while ready:
            node = heappop(ready)[2]
            order.append(node)
            for value in node.writes():
                for reader in readers[value]:
                    waiting[reader] -= 1
                    if not waiting[reader]:
                        heappush(ready, (reader.position, serial[reader], reader))
        if len(order) < len(waiting):
            cycle = nx.find_cycle(self.to_networkx())
            path = " → ".join(f"'{a.name}'" for a, _ in cycle if a in producers)
            raise GraphError(f"the graph has a cycle through {path}")
        return order

    def to_networkx(self) -> nx.DiGraph:
        """Give a frozen graph of values and nodes."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self._producers)
        for node, reads in self._reads.items():
            graph.add_node(node)
            graph.add_edges_from((value, node) for value in reads)
            graph.add_edges_from((node, value) for value in node.writes())
        return nx.freeze(graph)

    # Writing

    def add_value(self, value: V, producer: N | None = None) -> None:
        """Own a value."""
        self._producers[value] = producer
        readers = self._readers[value] = self._captured.pop(value, {})
        if readers:
            self._order = None

    def add_node(self, node: N, reads: Iterable[V]) -> None:
        """Add a node after its outputs; without a position it comes last."""
        if node.position >= 0:
            self._order = None
        else:
            node.position = self._next_position
            if self._order is not None:  # with the greatest position, and nothing reads it yet
                self._order.append(node)
        self._next_position = max(self._next_position, node.position + 1)
        self._reads[node] = dict.fromkeys(reads)
        for value in self._reads[node]:
            self._read(value, node)

    def keep_order_of(self, other: "Edges[V, N]", nodes: list[N]) -> None:
        """Take over positions and order from the edges that these, in this order, are copies of."""
        self._next_position = other._next_position
        self._order, self._has_gone = nodes, False

    def set_producer(self, value: V, producer: N | None) -> None:
        """Set which node computes a value of this graph."""
        self._producers[value] = producer
        self._order = None

    def set_reads(self, node: N, reads: Iterable[V]) -> None:
        """Set what a node reads."""
        before, after = self._reads[node], dict.fromkeys(reads)
        self._reads[node] = after
        for value in before:
            if value not in after:
                self._unread(value, node)
        for value in after:
            if value not in before:
                self._read(value, node)
        self._order = None

    def replace_read(self, node: N, old: V, new: V) -> None:
        """Let a node read one value in place of another."""
        reads = self._reads[node]
        del reads[old]
        reads[new] = None
        self._unread(old, node)
        self._read(new, node)
        self._order = None

    def remove_value(self, value: V) -> None:
        """Forget an own value that nothing reads."""
        del self._producers[value], self._readers[value]

    def remove_node(self, node: N) -> None:
        """Forget a node, whose outputs are removed by themselves."""
        for value in self._reads.pop(node):
            self._unread(value, node)
        self._has_gone = True

    def _read(self, value: V, node: N) -> None:
        readers = self._readers.get(value)
        if readers is None:
            readers = self._captured.setdefault(value, {})
        readers[node] = None

    def _unread(self, value: V, node: N) -> None:
        readers = self._readers.get(value)
        if readers is not None:
            del readers[node]
            return
        captured = self._captured[value]
        del captured[node]
        if not captured:
            del self._captured[value]
