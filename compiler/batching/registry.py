"""The table of batching rules; vectorize.py applies them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..opset import COMPOSITE_DOMAIN


@dataclass(frozen=True, slots=True)
class Operand:
    """An input of a node that is batched; where `batched`, axis 0 is the batch axis."""

    value: Value
    batched: bool

    @property
    def rank(self) -> int | None:
        """Rank of one example, None where unknown."""
        rank = self.value.rank
        return rank if rank is None or not self.batched else rank - 1


@dataclass(frozen=True, slots=True)
class Shared:
    """A result that is the same for every example, without a batch axis."""

    value: Value


def required(operands: Sequence[Operand | None], count: int) -> list[Operand]:
    """Give the first operands, as many as the operator cannot do without."""
    found = [operand for operand in operands[:count] if operand is not None]
    assert len(found) == count
    return found


Result = Value | Shared | Sequence[Value | Shared | None] | None
"""What a rule returns: one result per output; None (alone) where the rule does not apply."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a rule emits through: operators and the batch size (an int64 tensor of one element)."""

    op: Ops
    size: Value

    def spread(self, operand: Operand) -> Value:
        """Give an operand with a batch axis, repeated along it where it had none."""
        if operand.batched:
            return operand.value
        op = self.op
        shape = op.Concat(self.size, op.Shape(operand.value), axis=0)
        return op.Expand(op.Unsqueeze(operand.value, [0]), shape)

    def fold(self, x: Value) -> Value:
        """Merge the batch axis into the axis after it: [B, N, …] → [B·N, …]."""
        op = self.op
        count = op.Mul(self.size, op.Shape(x, start=1, end=2))
        return op.Reshape(x, op.Concat(count, op.Shape(x, start=2), axis=0), allowzero=1)

    def unfold(self, y: Value, x: Value) -> Value:
        """Undo `fold` of x on what was computed of it: [B·N, …] → [B, N, …]."""
        op = self.op
        count = op.Shape(x, start=1, end=2)
        shape = op.Concat(self.size, count, op.Shape(y, start=1), axis=0)
        return op.Reshape(y, shape, allowzero=1)


Rule = Callable[[Batch, Node, Sequence[Operand | None]], Result]
"""`rule(batch, node, operands)` emits what the node does for every example at once."""

BATCHING: dict[tuple[str, str], Rule] = {}


def batching(*op_types: str, composite: bool = False) -> Callable[[Rule], Rule]:
    """Register a batching rule for the named operators."""

    def register(rule: Rule) -> Rule:
        for op_type in op_types:
            key = (COMPOSITE_DOMAIN if composite else "", op_type)
            assert key not in BATCHING, op_type
            BATCHING[key] = rule
        return rule

    return register
