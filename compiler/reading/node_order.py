"""The order in which the nodes of a file can be read; it reads none of them.

ONNX wants nodes sorted, yet converters that insert casts often leave them unsorted, and runtimes
sort them.
"""

from collections.abc import Container, Sequence
from heapq import heapify, heappop, heappush

from onnx import GraphProto, NodeProto

from ..errors import ModelFileError
from ..standard.protos import graphs_in


def in_order(nodes: Sequence[NodeProto], known: Container[str]) -> list[NodeProto]:
    """Give the nodes so that each stands after those whose values it or its subgraphs read.

    Sorted nodes stay as they are; of others, those that are ready keep their order.

    Args:
        nodes: the nodes of one graph or function.
        known: the names of what stands before all of them.

    Raises:
        ModelFileError: the nodes form a cycle.
    """
    makers: dict[str, int] = {}
    for k, node in enumerate(nodes):
        for name in node.output:
            if name and name not in known:
                makers.setdefault(name, k)
    waits = [{makers[n] for n in _reads(node) if n in makers} for node in nodes]
    if all(max(before, default=-1) < k for k, before in enumerate(waits)):
        return list(nodes)
    readers: list[list[int]] = [[] for _ in nodes]
    for k, before in enumerate(waits):
        for maker in before:
            readers[maker].append(k)
    ready = [k for k, before in enumerate(waits) if not before]
    heapify(ready)
    order: list[int] = []
    while ready:
        order.append(k := heappop(ready))
        for reader in readers[k]:
            waits[reader].discard(k)
            if not waits[reader]:
                heappush(ready, reader)
    if len(order) < len(nodes):
        raise ModelFileError(f"the nodes form a cycle through {_cycle(nodes, waits)}")
    return [nodes[k] for k in order]


def _reads(node: NodeProto) -> set[str]:
    """Give the names that a node reads, also in its subgraphs."""
    names = set(node.input)
    for graph in graphs_in(node):
        names |= _captures(graph)
    return names


def _captures(graph: GraphProto) -> set[str]:
    names = {info.name for info in graph.output}
    for node in graph.node:
        names |= _reads(node)
    names -= {info.name for info in graph.input}
    names -= {tensor.name for tensor in graph.initializer}
    names -= {tensor.values.name for tensor in graph.sparse_initializer}
    return names - {name for node in graph.node for name in node.output}


def _cycle(nodes: Sequence[NodeProto], waits: Sequence[set[int]]) -> str:
    """Write a cycle among the nodes that wait for others: "'a' → 'b'"."""
    path: list[int] = []
    k = next(k for k, before in enumerate(waits) if before)
    while k not in path:
        path.append(k)
        k = min(waits[k])
    cycle = path[path.index(k) :][::-1]
    return " → ".join(f"'{next(filter(None, nodes[k].output))}'" for k in cycle)
