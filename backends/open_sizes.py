"""Sizes that types leave open, told by what is fed: what a runtime would not check by itself."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..compiler.errors import GraphError, locate
from ..compiler.graph.dims import evaluate, symbols
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.types import Dim, TensorType, is_static
from ..compiler.inference.call_checks import check_shapes, is_checked
from ..compiler.inference.list_forms import checked_places
from ..compiler.inference.node_types import infer_types
from ..compiler.opset import COMPOSITE_DOMAIN
from ..compiler.passes.refine_types import refine_node

_REMEMBERED = 1024
"""Combinations of shapes after which they are forgotten."""


class OpenSizes:
    """Calls whose sizes types leave open, checked before they run as they are while compiling."""

    def __init__(self, graph: Graph, chosen: Callable[[Node], bool] = lambda node: True) -> None:
        """Find the open calls of a graph, among those that are `chosen`; not in its subgraphs."""
        self._inputs = list(graph.inputs)
        trials = _Trials()
        self._open = [n for n in graph.nodes() if chosen(n) and _is_open(n, trials)]
        self._before = _before(graph, self._open)
        self._told: dict[tuple[tuple[int, ...] | None, ...], dict[Node, Node]] = {}
        fed = set(self._inputs)
        numbers = {n: [(k, v) for k, v in _unknown(n) if v in fed] for n in self._open}
        self._numbers = {node: found for node, found in numbers.items() if found}
        self._kept = {n for n in self._open if n in self._numbers or has_open_rank(n)}

    @property
    def are_open(self) -> bool:
        """Tell whether anything is to be checked."""
        return bool(self._open)

    @property
    def hang_on_numbers(self) -> bool:
        """Tell whether numbers that are fed must be checked, too, each time anew."""
        return bool(self._numbers)

    def check(self, fed: Mapping[str, Any]) -> list[Node]:
        """Refuse arrays, by input name, that do not fit; give calls whose ranks stay unknown.

        Raises:
            GraphError: a call does not take them.
        """
        if not self._open:
            return []
        shapes = tuple(_shape_of(fed[v.name]) for v in self._inputs)
        told = self._told.get(shapes)
        if told is None:
            if len(self._told) == _REMEMBERED:
                self._told.clear()
            told = self._told[shapes] = self._tell(shapes)
        for node, found in self._numbers.items():
            inputs = list(told[node].inputs)
            for index, value in found:
                held = fed[value.name]
                if isinstance(held, np.ndarray):  # it lies where Python can read it
                    inputs[index] = Value(value.name, TensorType(value.dtype, held.shape), held)
            _run(check_shapes, replace(told[node], inputs=tuple(inputs)))
        return [n for n in told.values() if has_open_rank(n)]

    def _tell(self, shapes: Iterable[tuple[int, ...] | None]) -> dict[Node, Node]:
        sizes = _Sizes()
        known: dict[Value, Value] = {}
        for value, shape in zip(self._inputs, shapes, strict=True):
            if shape is not None and isinstance(value.type, TensorType):
                pairs = zip(value.shape or (), shape, strict=False)
                sizes.known |= {dim: size for dim, size in pairs if isinstance(dim, str)}
                known[value] = Value(value.name, TensorType(value.dtype, shape))

        def told(values: Iterable[Value | None]) -> tuple[Value | None, ...]:
            return tuple(None if v is None else known.get(v) or _with(v, sizes) for v in values)

        for node in self._before:
            inputs, outputs = told(node.inputs), told(node.outputs)
            _run(refine_node, replace(node, inputs=inputs, outputs=outputs))
            known |= {a: b for a, b in zip(node.outputs, outputs, strict=True) if a and b}
        kept = {}
        for node in self._open:
            call = replace(node, inputs=told(node.inputs))
            _run(infer_types, call)
            if node in self._kept:
                kept[node] = call
        return kept


def _shape_of(array: Any) -> tuple[int, ...] | None:
    """Give a tensor's shape, which a value of onnxruntime's tells by a method."""
    shape = getattr(array, "shape", None)
    return tuple(array.shape()) if callable(shape) else shape


def has_open_rank(node: Node) -> bool:
    """Tell whether types leave even the rank of an input open."""
    return any(v.shape is None for v in _tensors(node))


def _tensors(node: Node) -> list[Value]:
    return [v for v in node.inputs if v is not None and isinstance(v.type, TensorType)]


def _run(check: Callable[[Node], Any], node: Node) -> None:
    """Let inference refuse a node, and say which one it is."""
    try:
        check(node)
    except GraphError as error:
        locate(error, node.label)
        raise


class _Sizes:
    """Sizes by symbol; what is made of them is evaluated once."""

    def __init__(self, known: Mapping[str, int] | None = None) -> None:
        self.known = dict(known or {})
        self._found: dict[Dim, Dim] = {}

    def size(self, dim: Dim) -> Dim:
        """Give a dimension as a number, as it is where that is not known."""
        if isinstance(dim, int):
            return dim
        if dim not in self._found:
            size = evaluate(dim, self.known)
            self._found[dim] = dim if size is None else size
        return self._found[dim]


def _with(value: Value, sizes: _Sizes) -> Value:
    """Give a value with sizes in place of symbols, as far as they are known."""
    type_, elements, constant = value.type, value.elements, value.constant
    if isinstance(type_, TensorType) and type_.shape is not None:
        type_ = TensorType(type_.dtype, tuple(map(sizes.size, type_.shape)))
        if elements is not None and constant is None:
            elements = tuple(map(sizes.size, elements))
            if all(isinstance(d, int) for d in elements):
                constant = np.array(elements if type_.shape else elements[0], type_.dtype)
    return Value(value.name, type_, constant, value.parameter, elements)


def _is_open(node: Node, trials: "_Trials") -> bool:
    """Tell whether a call is checked, and what is known of its inputs does not settle that it fits.

    It is settled where it fits whatever the sizes are, as far as trials tell.
    """
    if node.domain == COMPOSITE_DOMAIN or not is_checked(node):
        return False
    tensors = _tensors(node)
    if has_open_rank(node) or any(_unknown(node)):
        return True
    if all(is_static(v.shape) for v in tensors):
        return False
    dims = {d for v in tensors for d in (*(v.shape or ()), *(v.elements or ()))}
    names = trials.names(dims)
    return len(names) > len(_UNLIKE) or not all(_fits(node, s) for s in trials.sizes(names))


class _Trials:
    """Sizes to try a call with, made once for the symbols that they are of."""

    def __init__(self) -> None:
        self._names: dict[Dim, set[str]] = {}
        self._sizes: dict[tuple[str, ...], list[_Sizes]] = {}

    def names(self, dims: Iterable[Dim]) -> tuple[str, ...]:
        """Give the symbols that dimensions are made of."""
        found: set[str] = set()
        for dim in dims:
            if dim not in self._names:
                self._names[dim] = symbols(dim)
            found |= self._names[dim]
        return tuple(sorted(found))

    def sizes(self, names: tuple[str, ...]) -> list[_Sizes]:
        """Give all 1, all unlike in two orders, and for each symbol it 1, all but it, or it 0."""
        if names not in self._sizes:
            ones, several = dict.fromkeys(names, 1), dict(zip(names, _UNLIKE, strict=False))
            turned = dict(zip(names, _UNLIKE[len(names) - 1 :: -1], strict=True))
            alone = [{**ones, name: _UNLIKE[0]} for name in names]
            missing = [{**several, name: 1} for name in names]
            empty = [{**several, name: 0} for name in names]
            tried = [ones, several, turned, *alone, *missing, *empty]
            self._sizes[names] = [_Sizes(sizes) for sizes in tried]
        return self._sizes[names]


_UNLIKE = [211, 223, 227, 229, 233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293]
"""Primes: no sizes that divide each other."""


def _fits(node: Node, sizes: _Sizes) -> bool:
    inputs = tuple(None if v is None else _with(v, sizes) for v in node.inputs)
    try:
        check_shapes(replace(node, inputs=inputs))
    except GraphError:
        return False
    return True


def _unknown(node: Node) -> list[tuple[int, Value]]:
    """List the checked numbers of which nothing is known: their places and values."""
    given = ((k, node.input(k)) for k in checked_places(node))
    return [(k, v) for k, v in given if v and v.constant is None and v.elements is None]


def _before(graph: Graph, nodes: Iterable[Node]) -> list[Node]:
    """List what must be inferred again, in order, so that sizes of a call's inputs become known."""
    fed = {v for v in graph.inputs if isinstance(v.type, TensorType)}
    known = {name for v in fed for dim in v.shape or () for name in symbols(dim)}
    found: set[Node] = set()
    pending = [v for n in nodes for v in n.inputs if v is not None]
    while pending:
        value = pending.pop()
        node = graph.producer(value)
        if node is None or node in found or node.domain == COMPOSITE_DOMAIN or node.subgraphs:
            continue  # which of two branches runs hangs on the sizes, too
        if not _is_told(value, known):
            found.add(node)
            pending += (v for v in node.inputs if v is not None)
    return [n for n in graph.nodes() if n in found]


def _is_told(value: Value, known: set[str]) -> bool:
    type_ = value.type
    if value.constant is not None or not isinstance(type_, TensorType):
        return True
    if type_.shape is None or not all(symbols(d) <= known for d in type_.shape):
        return False
    return value.elements is not None or type_.dtype.kind not in "iu" or len(type_.shape) > 1
