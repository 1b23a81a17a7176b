"""Find what a graph sums over the examples of a batch, so that the batch can be taken in parts.

It knows no operator; the rules are in the other files here. What is computed of examples one by one
stays as it is. What is computed of sums over them, or of their number, is for a part another thing
than for the whole batch, which parted.py emits.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..composites.expand import emit_body, expand_node, has_body
from ..differentiation.rules import ZERO_GRADIENT, has_chosen_gradient
from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..errors import GraphError, OnnxgradError
from ..graph.dims import symbols
from ..graph.ir import Graph, Node, Value
from ..graph.types import ANONYMOUS, Dim, TensorType, is_differentiable
from ..inference.shapes import elements_of
from ..standard.traits import MEASURES
from .numbering import Numbering
from .parted import Part, Parted
from .registry import PARTING, SHAPES, Call, Mixed, Places, Rows, Total, shape_of, size_at
from .sums import MADE_OF_SUMS

_UNKNOWN = "is not known to treat each example by itself"


class _Inside(Mixed):
    """What a node's body computes of all examples needs the whole batch."""


def part_batch(
    graph: Graph, inputs: Iterable[Value], symbol: str, of: Value, trained: Iterable[Value]
) -> Parted:
    """Find what a graph sums over examples, in place.

    Args:
        graph: a graph; of its inputs gains the number of examples, and `Parted.sums` later.
        inputs: those whose first axis counts the examples, by the name `symbol`, at least one.
        symbol: the number of examples.
        of: what is wanted of the whole batch.
        trained: what gradients are wanted by. Nothing that depends on it may go back to examples
            once it is summed over them.

    Raises:
        GraphError: a node mixes examples other than by a sum or a mean over them; it is named.
    """
    inputs = list(inputs)
    parted = Parted(graph, inputs[0], symbol, {v: Rows(0) for v in inputs})
    _Walk(graph, symbol, parted.rows, parted.parts, set(trained), parted).go([of])
    return parted


@dataclass
class _Walk:
    """A walk over the nodes of a graph, or of a body without a `parted` to emit for it.

    `counts` are the names of sizes that depend on the number of examples.
    """

    graph: Graph
    symbol: str
    rows: dict[Value, Rows]
    parts: dict[Value, Part]
    trained: set[Value]
    parted: Parted | None = None
    path: set[Value | Node] = field(default_factory=set)
    numbering: Numbering = field(default_factory=Numbering)
    counts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.counts = {self.symbol, *self.counts}

    def go(self, of: Iterable[Value]) -> None:
        """Tell of each value that the results depend on where it holds examples.

        Raises:
            GraphError: a node mixes examples.
        """
        self.path = self.graph.upstream(of)
        pending = deque(n for n in self.graph.nodes() if n in self.path)
        while pending:
            node = pending.popleft()
            try:
                pending.extendleft(reversed(self._node(node)))
            except Mixed as mixed:
                if self.parted is None:
                    raise
                raise GraphError(
                    f"{node.label} {mixed}: so the parts of a batch do not give the step of the "
                    "whole; train it in one process"
                ) from None

    def _node(self, node: Node) -> list[Node]:
        """Tell of what a node gives; give the nodes of its body where it is put in its place."""
        reads = {node.first_input} if node.operator == "CastLike" else set(node.reads())
        cuts = node.operator in MEASURES or (node.domain, node.op_type) in ZERO_GRADIENT
        if not cuts and not self.trained.isdisjoint(reads):
            self.trained.update(v for v in node.writes() if is_differentiable(v.type))
        rows = {v: self.rows[v] for v in reads if v in self.rows}
        parts = {v: self.parts[v] for v in reads if v in self.parts}
        if not rows and not parts:
            return []
        if node.operator in MEASURES:
            self._note_sizes(node, [Part.ALIKE])
        elif rows:
            self._settle(node, parts)
            return self._computed(node, rows)
        elif Part.SIZE in parts.values() and any(self._may_count(v) for v in node.writes()):
            self._spread(node, parts)
        else:
            self._note_sizes(node, parts.values())
        return []

    def _note_sizes(self, node: Node, read: Iterable[Part]) -> None:
        """Note what is computed of sizes and sums alone."""
        measured = node.operator in MEASURES and node.first_input in self.rows
        kind = Part.TOTAL if Part.TOTAL in read else Part.SIZE
        for value in node.writes():
            if self._varies(value) and (measured or kind is Part.TOTAL or Part.SIZE in read):
                self.parts[value] = kind
            else:
                self.parts[value] = Part.ALIKE

    def _varies(self, value: Value) -> bool:
        """Tell whether a value may be another for another number of examples."""
        known = elements_of(value)
        return known is None or any(map(self._counts, known))

    def _counts(self, size: Dim) -> bool:
        """Tell whether a size depends on the number of examples."""
        return not self.counts.isdisjoint(symbols(size))

    def _may_count(self, value: Value) -> bool:
        """Tell whether a value may have as many numbers as there are examples, or a multiple."""
        shape = value.type.shape if isinstance(value.type, TensorType) else None
        return shape is None or any(ANONYMOUS in str(d) or self._counts(d) for d in shape)

    def _settle(self, node: Node, parts: Mapping[Value, Part]) -> None:
        """Let a node that computes with examples read what is of the whole batch, not of a part.

        Sizes are those of the part where they tell the shape of what it gives. Where its body tells
        of a node, it tells that, too.
        """
        ruled = (node.domain, node.op_type) in PARTING
        shapes = [node.input(k) for k in SHAPES.get(node.op_type, ())]
        for value, kind in parts.items():
            number = ruled and value not in shapes
            if kind is Part.TOTAL or kind is Part.SIZE and number:
                self._read_whole(node, value)

    def _read_whole(self, node: Node, value: Value) -> None:
        if value in self.trained:
            raise Mixed(
                f"brings '{value.name}', which is computed of the whole batch and of what is "
                "trained, back to its examples"
            )
        if self.parted is None or value not in node.inputs:
            raise _Inside(f"reads '{value.name}', which is computed of the whole batch")
        node.replace_input(value, self.parted.whole(value))
        self.graph.reconnect(node)

    def _spread(self, node: Node, parts: Mapping[Value, Part]) -> None:
        """Note as examples what is repeated as often as there are some."""
        y = node.output()
        if self.numbering.starts(node, self.symbol):
            self._note(y, Rows(0))
            return
        axes = [k for k, d in enumerate(y.shape or ()) if self._counts(d)]
        if node.operator not in ("ConstantOfShape", "Expand", "Tile") or len(axes) != 1:
            raise Mixed("numbers or compares examples by their places in the batch")
        (axis,) = axes
        x, shapes = node.first_input, [node.input(k) for k in SHAPES[node.op_type]]
        if x not in shapes:
            place = axis - (y.known_rank - x.known_rank)
            if place >= 0 and size_at(x, place) != 1:
                raise Mixed("repeats what is none of the examples")
        for value, kind in parts.items():
            if kind is Part.TOTAL or kind is Part.SIZE and value not in shapes:
                self._read_whole(node, value)
        self._note(y, Rows(axis))

    def _computed(self, node: Node, rows: Places) -> list[Node]:
        """Tell of what a node gives that reads examples."""
        rule = PARTING.get((node.domain, node.op_type))
        call = Call(node, rows, self.symbol, self._is_read, self._inside)
        if self.numbering.is_read_by(node) and (by := self.numbering.follow(call)) is not None:
            self._note(node.output(), by)
            return []
        result = rule(call) if rule is not None else None
        if result is None:
            return self._by_body(node)
        if isinstance(result, Total):
            if self.parted is None:
                raise _Inside("sums over examples")
            self.parted.note_total(node.output(), result)
            return []
        outputs = node.outputs
        found = [result] * len(outputs) if isinstance(result, Rows) else result
        for value, place in zip(outputs, found, strict=False):
            if value is not None and place is not None:
                self._note(value, place)
                self._require_alike(node, value, place)
        return []

    def _require_alike(self, node: Node, value: Value, rows: Rows) -> None:
        """Refuse sizes but that of the examples' axis that may depend on the number of examples."""
        if not any(v in self.parts and self.parts[v] is Part.SIZE for v in node.reads()):
            return
        known = {d for v in node.reads() if v in self.rows for d in shape_of(v)}
        for axis, size in enumerate(shape_of(value)):
            if axis != rows.axis and ANONYMOUS in str(size) and size not in known:
                raise Mixed("gives each example a size that may depend on how many there are")

    def _note(self, value: Value, rows: Rows) -> None:
        shape = value.type.shape if isinstance(value.type, TensorType) else None
        for axis, size in enumerate(shape or ()):
            if axis == rows.axis and not self._counts(size):
                self.counts.update(symbols(size))  # a name that inference made up
            elif axis != rows.axis and self._counts(size):
                raise Mixed("compares examples with each other")
        self.rows[value] = rows

    def _is_read(self, value: Value) -> bool:
        return any(n in self.path for n in self.graph.consumers(value))

    def _inside(self, graph: Graph, rows: Places) -> Places:
        """Tell of the values of a subgraph, which may not sum over examples."""
        captured = {v: self.parts[v] for v in graph.captures() if v in self.parts}
        walk = _Walk(
            graph, self.symbol, dict(rows), captured, set(self.trained), counts=self.counts
        )
        try:
            walk.go(graph.outputs)
        except _Inside as inside:
            raise Mixed(f"in its body {inside}") from None
        if any(v in walk.parts for v in graph.outputs):
            raise Mixed("gives what is computed of all examples")
        return walk.rows

    def _by_body(self, node: Node) -> list[Node]:
        """Tell by a node's body; it takes the node's place where it sums over examples."""
        if (node.domain, node.op_type) in MADE_OF_SUMS:
            return self._as_sums(node)
        if not has_body(node):
            raise Mixed(_UNKNOWN)
        try:
            if node.subgraphs:  # what they capture is none of a body's own
                raise _Inside("computes of examples")
            self._look_into(node)
        except _Inside:
            if self.parted is None or has_chosen_gradient(node):
                raise
            return expand_node(self.graph, node)
        return []

    def _as_sums(self, node: Node) -> list[Node]:
        if self.parted is None:
            raise _Inside("sums over examples")
        op = Ops(self.graph, node.position, f"{node.title}/")
        put_in_place(op, node, MADE_OF_SUMS[node.domain, node.op_type](op, node))
        return op.emitted

    def _look_into(self, node: Node) -> None:
        body = Graph("body")
        mapping = {
            v: body.add_value(Value(f"x{k}", v.type, v.constant, v.parameter, v.elements))
            for k, v in enumerate(dict.fromkeys(node.reads()))
        }
        inputs = tuple(None if v is None else mapping[v] for v in node.inputs)
        try:
            results = emit_body(Ops(body), replace(node, inputs=inputs))
        except OnnxgradError:  # of these inputs it has none
            raise Mixed(_UNKNOWN) from None
        rows = {mapping[v]: self.rows[v] for v in mapping if v in self.rows}
        parts = {mapping[v]: self.parts[v] for v in mapping if v in self.parts}
        walk = _Walk(body, self.symbol, rows, parts, set(), counts=self.counts)
        walk.go([v for v in results if v is not None])
        for value, result in zip(node.outputs, results, strict=False):
            if value is None or result is None:
                continue
            if result in walk.parts:
                raise _Inside("sums over examples")
            if result in walk.rows:
                self._note(value, walk.rows[result])
