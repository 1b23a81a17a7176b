"""The table of rules that tell where examples are in what a node gives; walk.py applies them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ..graph.dims import divide, multiply
from ..graph.ir import Graph, Node, Value
from ..graph.types import Dim, TensorType
from ..opset import COMPOSITE_DOMAIN


class Mixed(Exception):
    """A node that does not treat each example by itself; the text says what it does instead."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Where a value holds examples, each made of one example of the batch and of nothing else.

    Args:
        axis: counted from the front.
        outer: the axis is one of `outer` × examples × others, merged in this order.
    """

    axis: int
    outer: Dim = 1


class Total(Enum):
    """What a node gives that computes one thing of all examples, whichever they are."""

    SUM = "sum"
    MEAN = "mean"


Result = Rows | Total | Sequence[Rows | None] | None
"""What a rule gives: of one output or of all alike, or of each; None (alone): the body tells."""


Places = Mapping[Value, Rows]


@dataclass(frozen=True, slots=True)
class Call:
    """A node, and which of the values that it reads hold examples.

    Args:
        node: the node.
        rows: of the values that hold examples, where.
        symbol: the number of examples, as sizes name it.
        read: tells whether a value is used.
        inside: gives where values of a subgraph hold examples, by those that do from the start.
    """

    node: Node
    rows: Places
    symbol: str
    read: Callable[[Value], bool]
    inside: Callable[[Graph, Places], Places]

    def of(self, index: int) -> Rows | None:
        """Give where an input holds examples, None if it is omitted or holds none."""
        value = self.node.input(index)
        return None if value is None else self.rows.get(value)

    def only(self, *indices: int) -> bool:
        """Tell whether no other inputs than these hold examples."""
        return all(k in indices or self.of(k) is None for k in range(len(self.node.inputs)))

    def first(self) -> tuple[Value, Rows] | None:
        """Give the first input and where it holds examples, if no other does."""
        x, rows = self.node.first_input, self.of(0)
        return (x, rows) if rows is not None and self.only(0) else None

    def inner(self, value: Value, rows: Rows) -> Dim | None:
        """Give how many numbers follow each other on the axis for one example."""
        return divide(size_at(value, rows.axis), multiply([rows.outer, self.symbol]))


Rule = Callable[[Call], Result]
RuleOfFirst = Callable[[Call, Value, Rows], Result]

PARTING: dict[tuple[str, str], Rule] = {}


SHAPES = {
    "AffineGrid": (1,), "CenterCropPad": (1,), "Col2Im": (1,), "ConstantOfShape": (0,),
    "ConvInputGrad": (2,), "Expand": (1,), "Pad": (1,), "ReduceToShape": (1,), "Reshape": (1,),
    "Resize": (3,), "Slice": (1, 2), "Split": (1,), "Tile": (1,),
}  # fmt: skip
"""Inputs that tell the shape of what an operator gives."""


def parting(*op_types: str, composite: bool = False) -> Callable[[Rule], Rule]:
    """Register a rule for the named operators."""

    def register(rule: Rule) -> Rule:
        for op_type in op_types:
            key = (COMPOSITE_DOMAIN if composite else "", op_type)
            assert key not in PARTING, op_type
            PARTING[key] = rule
        return rule

    return register


def parting_alone(*op_types: str, composite: bool = False) -> Callable[[RuleOfFirst], RuleOfFirst]:
    """Register a rule for where the first input alone holds examples: it gets that and where.

    Where others hold examples the body tells.
    """

    def register(rule: RuleOfFirst) -> RuleOfFirst:
        def of_call(call: Call) -> Result:
            found = call.first()
            return None if found is None else rule(call, *found)

        parting(*op_types, composite=composite)(of_call)
        return rule

    return register


def shape_of(value: Value) -> tuple[Dim, ...]:
    """Give a tensor's shape.

    Raises:
        Mixed: its rank is not known.
    """
    if not isinstance(value.type, TensorType) or value.shape is None:
        raise Mixed(f"gives or reads '{value.name}', {value.type}, whose axes are not known")
    return value.shape


def size_at(value: Value, axis: int) -> Dim:
    """Give the size of an axis."""
    return shape_of(value)[axis]


def rank_of(value: Value) -> int:
    """Give a tensor's rank."""
    return len(shape_of(value))


def common(found: Iterable[Rows]) -> Rows:
    """Give where several values hold examples, the same place in all.

    Raises:
        Mixed: they are not at the same place.
    """
    places = set(found)
    if len(places) != 1:
        raise Mixed("compares examples with each other")
    return places.pop()


def apart(rows: Rows, axes: Collection[int], what: str) -> Rows:
    """Give the place back where a node works along other axes than that of the examples."""
    if rows.axis in axes:
        raise Mixed(what)
    return rows
