"""One view of Loop, Scan and Iterate: states, tapes that are read and tapes that are written.

Iterate is the composite that gradients of loops emit: a Loop that reads tapes as a Scan does. A
tape is a tensor cut along one axis, or a sequence with one element per step; either may be walked
from its end. It knows shapes and places, and emits nothing.
"""

from dataclasses import dataclass

from .ir import Graph, Node, Value
from .opset import COMPOSITE_DOMAIN
from .types import Type


@dataclass(frozen=True, slots=True)
class Tape:
    """How a tape is cut: its axis (tensors only), from which end, and its type."""

    axis: int
    backward: bool
    type: Type | None = None


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
    def initial(self) -> list[Value | None]:
        """The states before the first step."""
        return list(self.node.inputs[self.lead : self.lead + self.states])

    @property
    def final(self) -> list[Value | None]:
        """The states after the last step."""
        return list(self.node.outputs[: self.states])

    @property
    def read(self) -> list[Value | None]:
        """The tapes that are read."""
        return list(self.node.inputs[self.lead + self.states :])

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

    def _tapes(self, side: str, values: list[Value | None]) -> list[Tape]:
        attributes, scan = self.node.attributes, "scan_" * (not self.is_composite)
        axes = attributes.get(f"{scan}{side}_axes") or [0] * len(values)
        directions = attributes.get(f"{scan}{side}_directions") or [0] * len(values)
        return [
            Tape(axis, bool(direction), None if v is None else v.type)
            for axis, direction, v in zip(axes, directions, values, strict=True)
        ]


def _states(node: Node) -> int:
    if node.domain == COMPOSITE_DOMAIN:
        return int(node.attributes["states"])
    if node.op_type == "Scan":
        return len(node.inputs) - int(node.attributes["num_scan_inputs"])
    return len(node.inputs) - 2
