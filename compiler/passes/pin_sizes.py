"""Put numbers in place of the sizes that a graph leaves open."""

from collections.abc import Mapping
from dataclasses import replace

from ..errors import GraphError
from ..graph.dims import substitute, symbols
from ..graph.ir import Graph
from ..graph.names import suggestion
from ..graph.subgraphs import all_graphs
from ..graph.types import ANONYMOUS, Dim, TensorType, Type
from .refine_types import refine_types


def pin_sizes(graph: Graph, sizes: Mapping[str, Dim]) -> None:
    """Give sizes their numbers wherever they stand, in place.

    Raises:
        GraphError: no size of the graph's inputs has that name.
    """
    known = open_sizes(graph)
    for name in sizes:
        if name not in known:
            there = suggestion(name, known) or "; all have their numbers"
            raise GraphError(f"no input has a size '{name}'{there}")
    if sizes:
        put_sizes(graph, sizes)


def put_sizes(graph: Graph, sizes: Mapping[str, Dim]) -> None:
    """Put other sizes, or names of them, in place of names wherever they stand, in place."""
    for part in all_graphs(graph):
        for value in part.values():
            value.type = _pinned(value.type, sizes)
            if value.elements is not None:
                value.elements = tuple(substitute(d, sizes) for d in value.elements)
    refine_types(graph)


def open_sizes(graph: Graph) -> list[str]:
    """List the names of sizes that inputs leave open."""
    found: dict[str, None] = {}
    for value in graph.inputs:
        for dim in (value.type.shape or ()) if isinstance(value.type, TensorType) else ():
            found |= dict.fromkeys(sorted(symbols(dim)))
    return [name for name in found if ANONYMOUS not in name]


def _pinned(type_: Type, sizes: Mapping[str, Dim]) -> Type:
    if not isinstance(type_, TensorType):
        return replace(type_, element=_pinned(type_.element, sizes))
    if type_.shape is None:
        return type_
    return TensorType(type_.dtype, tuple(substitute(d, sizes) for d in type_.shape))
