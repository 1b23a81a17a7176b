"""One view of Loop, Scan and Iterate: states, tapes that are read and tapes that are written.

Iterate is the composite that gradients of loops emit: a Loop that reads tapes as a Scan does. A
tape is a tensor cut along one axis, or a sequence with one element per step; either may be walked
from its end. It emits no operators.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

from ..opset import COMPOSITE_DOMAIN
from .dead_code import remove_dead_code
from .dims import symbols
from .ir import Graph, Node, Value
from .types import TensorType, Type, fresh_dim

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Tape:
    """How a tape is cut: its axis (tensors only), from which end, and its type."""

    axis: int
    backward: bool
    type: Type | None = None


@dataclass(frozen=True, slots=True)
class NewState:
    """A state that is added: before the first step, as a step begins, as it ends; at the end."""

    initial: Value
    before: Value
    after: Value
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class NewTape:
    """A tape that is added: the body's entry and how it is cut; `value` read, or named `name`."""

    entry: Value
    spec: Tape
    value: Value | None = None
    name: str = ""


class Recurrence:
    """A node that runs a body again and again.

    Its inputs are `lead` (count and condition; none of a Scan), initial states, tapes; its body
    takes the step's number and condition (`lead` again), states, entries of tapes; the body gives
    a condition (unless Scan), states, entries; the node gives final states and tapes.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self.body: Graph = node.attributes["body"]
        self.lead = 0 if node.op_type == "Scan" else 2
        self.states = _states(node)

    @property
    def is_composite(self) -> bool:
        """Tell whether this is an Iterate."""
        return self.node.domain == COMPOSITE_DOMAIN

    @property
    def initial(self) -> list[Value]:
        """The states before the first step."""
        return self.node.given(self.lead)[: self.states]

    @property
    def final(self) -> list[Value | None]:
        """The states after the last step."""
        return list(self.node.outputs[: self.states])

    @property
    def read(self) -> list[Value]:
        """The tapes that are read."""
        return self.node.given(self.lead + self.states)

    @property
    def written(self) -> list[Value | None]:
        """The tapes that are written."""
        return list(self.node.outputs[self.states :])

    @property
    def states_in(self) -> list[Value]:
        """The states as a step begins, inside the body."""
        return self.body.inputs[self.lead : self.lead + self.states]

    @property
    def entries_in(self) -> list[Value]:
        """The entries of tapes that a step reads."""
        return self.body.inputs[self.lead + self.states :]

    @property
    def states_out(self) -> list[Value]:
        """The states as a step ends."""
        first = self.lead // 2
        return self.body.outputs[first : first + self.states]

    @property
    def entries_out(self) -> list[Value]:
        """The entries of tapes that a step writes."""
        return self.body.outputs[self.lead // 2 + self.states :]

    @property
    def input_tapes(self) -> list[Tape]:
        """How the tapes that are read are cut."""
        return self._tapes("input", self.read)

    @property
    def output_tapes(self) -> list[Tape]:
        """How the tapes that are written are cut."""
        return self._tapes("output", self.written)

    def extend(
        self,
        outer: Graph,
        states: Sequence[NewState] = (),
        read: Sequence[NewTape] = (),
        written: Sequence[NewTape] = (),
    ) -> list[Value]:
        """Add states and tapes after those that are there; give the node's new outputs.

        The new values that a body takes belong to it already; `outer` is the node's graph.
        """
        node, body = self.node, self.body
        specs = {
            "input": [*self.input_tapes, *(t.spec for t in read)],
            "output": [*self.output_tapes, *(t.spec for t in written)],
        }
        count, cut, end = len(node.outputs), self.lead + self.states, self.lead // 2 + self.states
        outputs = []
        for name, type_ in [*((s.name, s.type) for s in states), *_described(written)]:
            value = Value(outer.names.fresh(name), type_)
            outputs.append(outer.add_output(node, len(node.outputs), value))
        finals, tapes = outputs[: len(states)], outputs[len(states) :]
        given = node.outputs[:count]
        node.outputs = (*given[: self.states], *finals, *given[self.states :], *tapes)
        node.inputs = (
            *node.inputs[:cut],
            *(s.initial for s in states),
            *node.inputs[cut:],
            *(t.value for t in read),
        )
        body.inputs = [
            *body.inputs[:cut],
            *(s.before for s in states),
            *body.inputs[cut:],
            *(t.entry for t in read),
        ]
        body.outputs = [
            *body.outputs[:end],
            *(s.after for s in states),
            *body.outputs[end:],
            *(t.entry for t in written),
        ]
        self.states += len(states)
        self._describe(specs)
        outer.reconnect(node)
        return outputs

    def drop(
        self,
        outer: Graph,
        states: Set[int] = frozenset(),
        read: Set[int] = frozenset(),
        written: Set[int] = frozenset(),
    ) -> None:
        """Take states and tapes away, by position; nothing may read what they compute."""
        node, body = self.node, self.body
        for k in [*states, *(self.states + k for k in written)]:
            outer.omit_output(node, k)
        specs = {
            "input": _without(self.input_tapes, read),
            "output": _without(self.output_tapes, written),
        }
        lead, cut, end = self.lead, self.lead + self.states, self.lead // 2 + self.states
        node.outputs = (*_without(self.final, states), *_without(self.written, written))
        node.inputs = (
            *node.inputs[:lead],
            *_without(self.initial, states),
            *_without(self.read, read),
        )
        body.outputs = [
            *body.outputs[: lead // 2],
            *_without(self.states_out, states),
            *_without(body.outputs[end:], written),
        ]
        body.inputs = [
            *body.inputs[:lead],
            *_without(self.states_in, states),
            *_without(body.inputs[cut:], read),
        ]
        self.states -= len(states)
        self._describe(specs)
        remove_dead_code(body)
        outer.reconnect(node)

    def make_composite(self, lead: Sequence[Value]) -> None:
        """Turn a Loop or Scan into an Iterate; a Scan's body takes `lead` in front."""
        node, body = self.node, self.body
        specs = {"input": self.input_tapes, "output": self.output_tapes}
        if not self.lead:
            body.inputs = [*lead, *body.inputs]
            body.outputs = [lead[1], *body.outputs]
            node.inputs = (None, None, *node.inputs)
            self.lead = 2
        node.attributes.clear()
        node.attributes["body"] = body
        node.domain, node.op_type = COMPOSITE_DOMAIN, "Iterate"
        self._describe(specs)

    def _describe(self, specs: Mapping[str, Sequence[Tape]]) -> None:
        """Write the node's attributes."""
        attributes = self.node.attributes
        if self.is_composite:
            attributes["states"] = self.states
        elif self.lead:
            return  # a Loop reads no tapes and writes all of them in one way
        else:
            attributes["num_scan_inputs"] = len(specs["input"])
        for side, tapes in specs.items():
            prefix = side if self.is_composite else f"scan_{side}"
            attributes[f"{prefix}_axes"] = [t.axis for t in tapes]
            attributes[f"{prefix}_directions"] = [int(t.backward) for t in tapes]

    def _tapes(self, side: str, values: Sequence[Value | None]) -> list[Tape]:
        attributes, scan = self.node.attributes, "scan_" * (not self.is_composite)
        axes = attributes.get(f"{scan}{side}_axes") or [0] * len(values)
        directions = attributes.get(f"{scan}{side}_directions") or [0] * len(values)
        return [
            Tape(axis, bool(direction), None if v is None else v.type)
            for axis, direction, v in zip(axes, directions, values, strict=True)
        ]


def _described(tapes: Sequence[NewTape]) -> list[tuple[str, Type]]:
    return [(t.name, t.spec.type) for t in tapes if t.spec.type is not None]


def _without(items: Sequence[Item], gone: Set[int]) -> list[Item]:
    return [item for k, item in enumerate(items) if k not in gone]


def _states(node: Node) -> int:
    if node.domain == COMPOSITE_DOMAIN:
        return int(node.attributes["states"])
    if node.op_type == "Scan":
        return len(node.inputs) - int(node.attributes["num_scan_inputs"])
    return len(node.inputs) - 2


def never_stops(node: Node) -> bool:
    """Tell whether a Loop or Iterate runs all the steps of its count: no condition ever fails."""
    body: Graph = node.attributes["body"]
    condition = node.inputs[1] if len(node.inputs) > 1 else None
    if condition is not None and not _is_true(condition):
        return False
    going: Value | None = body.outputs[0]
    while going is not None and not _is_true(going) and going is not body.inputs[1]:
        producer = body.producer(going)
        if producer is None or producer.op_type not in ("Identity", "Cast") or producer.domain:
            return False
        going = producer.inputs[0]
    return True


def _is_true(value: Value) -> bool:
    return value.constant is not None and bool(value.constant.all())


def sizes_outside(loop: Recurrence) -> set[str]:
    """Give the names of the sizes that a loop gets from outside."""
    dims = {
        dim
        for value in (*loop.node.inputs, *loop.body.captures())
        if value is not None and isinstance(value.type, TensorType)
        for dim in value.shape or ()
    }
    return {name for dim in dims for name in symbols(dim)}


def is_invariant(type_: Type, outside: Set[str]) -> bool:
    """Tell whether a shape is certainly the same in all steps: it names only sizes from outside."""
    if not isinstance(type_, TensorType) or type_.shape is None:
        return False
    return all(name in outside for dim in type_.shape for name in symbols(dim))


def steps_dim(loop: Recurrence) -> int | str:
    """Give the number of steps as a dimension, a fresh name where it is unknown."""
    tapes = [
        *zip(loop.read, loop.input_tapes, strict=True),
        *zip(loop.written, loop.output_tapes, strict=True),
    ]
    for value, spec in tapes:
        if value is not None and isinstance(value.type, TensorType) and value.shape is not None:
            return value.shape[spec.axis]
    return fresh_dim()
