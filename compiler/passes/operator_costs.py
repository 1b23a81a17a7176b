"""What operators do, counted from the sizes of their values: arithmetic, and bytes moved.

A size that is not known while compiling counts as 32; bodies of loops count once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..graph.dims import typical_size
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import all_nodes
from ..graph.types import Dim, TensorType
from ..standard.einsum import explicit_terms
from ..standard.schemas import attribute
from ..standard.traits import MEASURES, MOVES, REDUCTIONS

_VIEWS = MEASURES | {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
"""What runtimes do without touching an element."""

_PARTS = frozenset({"Gather", "GatherElements", "GatherND", "Slice"})
"""Of their first input they read as much as they give."""


@dataclass(frozen=True, slots=True)
class Work:
    """How often an operator runs, its additions and multiplications, bytes read and written."""

    calls: int = 0
    flops: float = 0
    moved: float = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.calls + other.calls, self.flops + other.flops, self.moved + other.moved)


def work_by_operator(graph: Graph) -> dict[str, Work]:
    """Count what each kind of operator does in a graph, the most arithmetic first."""
    found: dict[str, Work] = {}
    for node in all_nodes(graph):
        if any(v.constant is None for v in node.writes()):
            found[node.operator] = found.get(node.operator, Work()) + work_of(node)
    order = sorted(found, key=lambda name: (-found[name].flops, -found[name].moved, name))
    return {name: found[name] for name in order}


def least_moved(graph: Graph) -> float:
    """Count the bytes that no run goes without: what the graph takes, holds and gives."""
    held = [v for v in graph.parameters if v not in graph.inputs]
    return sum(_bytes(v) for v in [*graph.inputs, *held, *graph.outputs])


def work_of(node: Node) -> Work:
    """Count what one node does."""
    given = sum(_bytes(v) for v in node.writes())
    if node.subgraphs or (not node.domain and node.op_type in _VIEWS):
        return Work(1)
    read = sum(_bytes(v) for v in node.reads())
    if node.op_type in _PARTS:
        read = read - _bytes(node.first_input) + given
    return Work(1, _flops(node), read + given)


def _flops(node: Node) -> float:
    count = _PRODUCTS.get(node.op_type) if not node.domain else None
    if count is not None:
        return 2.0 * count(node)
    if node.op_type in MOVES:
        return 0.0
    counted = node.reads() if node.op_type in REDUCTIONS else node.writes()
    return float(max(map(_elements, counted), default=0))


def _matmul(node: Node) -> float:
    a = node.first_input
    return _elements(node.output()) * typical_size((a.shape or (1,))[-1:])


def _gemm(node: Node) -> float:
    a = node.first_input.shape or (1, 1)
    return _elements(node.output()) * typical_size((a[0] if attribute(node, "transA") else a[-1],))


def _convolution(node: Node) -> float:
    return _elements(node.output()) * _taps(node)


def _transposed_convolution(node: Node) -> float:
    return _elements(node.first_input) * _taps(node)


def _taps(node: Node) -> int:
    _, w = node.required(2)
    return typical_size((w.shape or (1, 1))[1:])


def _einsum(node: Node) -> float:
    """Multiply the sizes of all letters."""
    inputs = [v for v in node.reads() if v.shape is not None]
    terms, *_ = explicit_terms(node.attributes["equation"], [v.known_rank for v in inputs])
    sizes: dict[str, Dim] = {}
    for term, value in zip(terms, inputs, strict=True):
        sizes.update(zip(term, value.shape or (), strict=True))
    return float(typical_size(tuple(sizes.values())))


_PRODUCTS: dict[str, Callable[[Node], float]] = {
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Einsum": _einsum,
}
"""How many pairs of numbers an operator multiplies and adds."""


def _elements(value: Value) -> int:
    type_ = value.type
    return typical_size(type_.shape or ()) if isinstance(type_, TensorType) else 0


def _bytes(value: Value) -> int:
    return _elements(value) * (value.dtype.itemsize if isinstance(value.type, TensorType) else 0)
