"""The table of upgrades: how an old call is written at our opset; it emits nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...emission.ops import Ops
from ...errors import UnsupportedOpError
from ...graph.ir import Value
from ...opset import OPSET


@dataclass
class Call:
    """One operator's call while it is upgraded; `outputs` are names, "" for an omitted one."""

    op_type: str
    inputs: list[Value | None]
    outputs: list[str]
    attributes: dict[str, Any]
    domain: str = ""
    version: int = 0
    name: str = field(default="")

    def input(self, index: int) -> Value | None:
        """Give an input, None where it is omitted."""
        return self.inputs[index] if index < len(self.inputs) else None

    def tensor(self, index: int) -> Value:
        """Give an input that must be there."""
        value = self.input(index)
        if value is None:
            raise self.refusal(f"its input {index} is missing")
        return value

    def rank(self, index: int) -> int:
        """Give the rank of an input; it must be known to write the call at our opset."""
        rank = self.tensor(index).rank
        if rank is None:
            raise self.refusal(
                f"the rank of '{self.tensor(index).name}' must be known for that; "
                "save the model with inferred shapes"
            )
        return rank

    def take(self, attribute: str, default: Any = None) -> Any:
        """Remove an attribute and give it."""
        return self.attributes.pop(attribute, default)

    def give(self, op: Ops, results: Sequence[Value]) -> None:
        """Let values that stand in the graph be the call's outputs, under their names."""
        for name, value in zip(self.outputs[1:], results[1:], strict=True):
            if name:
                op.emit("Identity", value, outputs=[name])
        self.op_type, self.domain, self.attributes = "Identity", "", {}
        self.inputs, self.outputs = [results[0]], self.outputs[:1]

    def refusal(self, reason: str) -> UnsupportedOpError:
        """Say why this call cannot be expressed at our opset."""
        label = f"{self.op_type} '{self.name or next(filter(None, self.outputs), '')}'"
        return UnsupportedOpError(
            f"{label} of opset {self.version} cannot be read: {reason}", [self.op_type]
        )


ALWAYS = OPSET + 1
"""A version beyond all: every call is upgraded."""

Upgrade = Callable[[Ops, Call], None]
"""Changes the call; nodes that it needs before it are emitted."""

UPGRADES: dict[tuple[str, str], list[tuple[int, Upgrade]]] = {}
"""For each (domain, operator) the upgrades in order, with the first version that needs none."""


def upgrade(*op_types: str, before: int, domain: str = "") -> Callable[[Upgrade], Upgrade]:
    """Register an upgrade of calls older than version `before`."""

    def register(function: Upgrade) -> Upgrade:
        for op_type in op_types:
            entries = UPGRADES.setdefault((domain, op_type), [])
            entries.append((before, function))
            entries.sort(key=lambda entry: entry[0])
        return function

    return register


def has_upgrade(op_type: str, domain: str, version: int) -> bool:
    """Tell whether calls of a version are upgraded, be that version deprecated or not."""
    return any(version < before for before, _ in UPGRADES.get((domain, op_type), ()))


def upgrade_call(op: Ops, call: Call) -> None:
    """Bring a call to our opset, one change of its operator after another."""
    for before, function in UPGRADES.get((call.domain, call.op_type), ()):
        if call.version < before:
            function(op, call)
