"""Bodies that are emitted once and then copied: deep networks repeat themselves.

A body depends on what its node is and on what is known of its inputs, see `body_key`. It is copied
where every value in it has a name that its copy can have too, and every size is the inputs' own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..graph.dims import symbols
from ..graph.ir import Graph, Node, Value
from ..graph.types import ANONYMOUS, TensorType, Type, is_float
from ..inference.node_types import freeze
from ..opset import COMPOSITE_DOMAIN
from .expand import emit_body_of, expand_node

_SMALL = 1024
"""Most elements of a constant that is compared with others; a larger one is seldom like another."""


def body_key(node: Node) -> Any:
    """Give what a node's body depends on: nodes of equal keys have equal bodies."""

    def known(value: Value | None) -> Any:
        if value is None:
            return None
        held = _held(value)
        return value.type, None if held is None else freeze(held), value.elements

    inputs = tuple(known(v) for v in node.inputs)
    repeats = tuple(node.inputs.index(v) for v in node.inputs)
    outputs = tuple(None if v is None else v.type for v in node.outputs)
    attributes = tuple((k, freeze(a)) for k, a in sorted(node.attributes.items()))
    return node.operator, inputs, repeats, outputs, attributes


def _held(value: Value) -> np.ndarray | None:
    """Give the numbers that a body may read; those of weights change."""
    constant = value.constant
    return None if constant is None or value.parameter and is_float(constant.dtype) else constant


class CopiedBodies:
    """Expands the nodes of one model; of those that are alike only the first has its body emitted.

    What it keeps holds for this model only.
    """

    def __init__(self) -> None:
        self._found: dict[Any, _Body | None] = {}

    def expand(self, graph: Graph, node: Node, form: str | None) -> list[Node]:
        """Replace a node by its body in a form, in place, as `expand_node` does."""
        if node.domain != COMPOSITE_DOMAIN or node.subgraphs or not _is_comparable(node):
            return expand_node(graph, node, form)
        key = form, body_key(node)
        op = _Recording(graph, node.position, f"{node.title}/")
        body = self._found.get(key)
        results: Sequence[Value | None]
        if body is not None:
            results = body.emit(op, node)
        else:
            results = emit_body_of(op, node, form)
            if key not in self._found:
                self._found[key] = _Body.of(op, node, results)
        put_in_place(op, node, results)
        return op.emitted


def _is_comparable(node: Node) -> bool:
    """Tell whether the key says it all, and soon: bodies of optionals look at who made them."""
    held = [_held(v) for v in _inputs(node)]
    small = all(array is None or array.size <= _SMALL for array in held)
    return small and _are_tensors([*_inputs(node), *node.writes()])


def _are_tensors(values: Iterable[Value]) -> bool:
    return all(isinstance(v.type, TensorType) for v in values)


class _Recording(Ops):
    """Notes the constants that are added, with the names that were wished for."""

    def __init__(self, graph: Graph, position: int, prefix: str) -> None:
        super().__init__(graph, position, prefix)
        self.constants: list[tuple[Value, str]] = []

    def constant(self, array: Any, dtype: Any = None, name: str = "constant") -> Value:
        value = super().constant(array, dtype, name)
        self.constants.append((value, name))
        return value


@dataclass(frozen=True, slots=True)
class _Output:
    """A value that a body computes; `name` comes after the prefix."""

    name: str
    type: Type
    constant: np.ndarray | None
    elements: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class _Call:
    """A node of a body; its inputs are places among the body's values."""

    node: Node
    inputs: tuple[int | None, ...]
    outputs: tuple[_Output | None, ...]


@dataclass(frozen=True, slots=True)
class _Body:
    """What a body adds. Its values, by place: the node's inputs, the constants, what it computes.

    A constant is an array and the name that it wishes for.
    """

    constants: list[tuple[np.ndarray, str]]
    calls: list[_Call]
    results: list[int | None]

    @classmethod
    def of(cls, op: _Recording, node: Node, results: Sequence[Value | None]) -> "_Body | None":
        """Read what was emitted, before it is put in place; None where it cannot be copied."""
        written = [v for n in op.emitted for v in n.writes()]
        values = [*_inputs(node), *(v for v, _ in op.constants), *written]
        places = {v: k for k, v in enumerate(values)}
        read = [*results, *(v for n in op.emitted for v in n.inputs)]
        if any(v is not None and v not in places for v in read):
            return None  # it looked beyond its node
        if any(n.subgraphs for n in op.emitted) or not _are_tensors(written):
            return None
        if _sizes(written) - _sizes([*_inputs(node), *node.writes()]):
            return None  # a size without a name is another one in every body
        calls = []
        for emitted in op.emitted:
            outputs = [_output(op, emitted, k) for k in range(len(emitted.outputs))]
            if any(
                (a is None) != (b is None) for a, b in zip(outputs, emitted.outputs, strict=True)
            ):
                return None  # it has a name of its own
            inputs = tuple(None if v is None else places[v] for v in emitted.inputs)
            kept = replace(emitted, attributes=dict(emitted.attributes))
            calls.append(_Call(kept, inputs, tuple(outputs)))
        arrays = [(v.constant, name) for v, name in op.constants if v.constant is not None]
        return cls(arrays, calls, [None if v is None else places[v] for v in results])

    def emit(self, op: Ops, node: Node) -> list[Value | None]:
        """Add a copy for a node that is like the first; give what stands for its outputs."""
        values = [*_inputs(node), *(op.constant(a, name=name) for a, name in self.constants)]
        for call in self.calls:
            copied = replace(
                call.node,
                inputs=tuple(None if k is None else values[k] for k in call.inputs),
                outputs=tuple(_value(op, output) for output in call.outputs),
                attributes=dict(call.node.attributes),
                position=op.position,
            )
            op.graph.add_node(copied)
            op.emitted.append(copied)
            values += copied.writes()
        return [None if k is None else values[k] for k in self.results]


def _inputs(node: Node) -> list[Value]:
    return list(dict.fromkeys(v for v in node.inputs if v is not None))


def _output(op: Ops, node: Node, index: int) -> _Output | None:
    """Read an output that has the name which its operator gives it."""
    value = node.outputs[index]
    wish = (node.name or node.op_type) + (f".{index}" if index else "")
    if value is None:
        return None
    start, name, end = value.name.partition(op.prefix + wish)
    numbered = end[:1] == "_" and end[1:].isdecimal()
    if start or not name or end and not numbered:
        return None
    return _Output(wish, value.type, value.constant, value.elements)


def _value(op: Ops, output: _Output | None) -> Value | None:
    if output is None:
        return None
    name = op.graph.names.fresh(op.prefix + output.name)
    return Value(name, output.type, output.constant, False, output.elements)


def _sizes(values: Iterable[Value]) -> set[str]:
    """Give the sizes in types and elements that the compiler made up."""
    dims = [d for v in values for d in (*(v.shape or ()), *(v.elements or ()))]
    return {s for d in dims if isinstance(d, str) and ANONYMOUS in d for s in symbols(d)}
