"""The table of gradient rules; the engine that applies them stands beside it (reverse.py)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value
from ..opset import COMPOSITE_DOMAIN
from ..standard.contrib import REGISTERED
from .activity import Path


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry of a rule for an input whose gradient cannot be given; an error if it is needed."""

    reason: str


RANKLESS = Refused("a rank of its inputs is not known; load the model with shapes={…}")
"""What rules say that count axes from the end, or need to know how many there are."""


class ZeroKind(Enum):
    """Why the derivative of an operator is zero, as far as a decision hangs on it."""

    STEP = "constant between jumps"
    INTEGERS = "arithmetic of integers"
    INDEPENDENT = "its result does not follow the numbers of its inputs"


@dataclass(frozen=True, slots=True)
class Zero:
    """The statement that an operator has no gradient by any input: its kind, and why, in words."""

    kind: ZeroKind
    reason: str


Entry = Value | Refused | None
"""The gradient of one input; None states that it is zero almost everywhere."""

Entries = Entry | Sequence[Entry] | Mapping[Value, Entry]
"""What a rule returns: one entry per input, or a mapping where subgraphs capture values too."""

RuleFunction = Callable[..., Entries]
"""`rule(op, node, dy)`; an operator with several outputs gets one cotangent (or None) for each."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A gradient rule, and what the engine does around it.

    With `broadcasts` it sums the entries to the inputs' shapes; with `widens` it lets the rule see
    a half-precision node in float32.
    """

    function: RuleFunction
    broadcasts: bool
    widens: bool


def has_chosen_gradient(node: Node) -> bool:
    """Tell whether a user gave an operator a gradient: its body may have another one.

    Where a graph may be differentiated later, the body must not stand in for such a node.
    """
    key = (node.domain, node.op_type)
    return key in REGISTERED and key in RULES


class GradientOps(Ops):
    """What a rule emits with; `path` holds the values and nodes that a gradient is wanted for."""

    def __init__(self, graph: Graph, prefix: str, path: Path) -> None:
        super().__init__(graph, prefix=prefix)
        self.path = path


RULES: dict[tuple[str, str], Rule] = {}

ZERO_GRADIENT: dict[tuple[str, str], Zero] = {}
"""Operators whose derivative is zero almost everywhere or undefined."""

REFUSED_GRADIENT: dict[tuple[str, str], str] = {}
"""Operators whose gradient cannot be given by any input, with the reason."""

Asks = Callable[[Node, Path], bool]
"""`asks(node, path)`, the path being what lies between what is differentiated and by what."""

BODY_WHERE: dict[tuple[str, str], Asks] = {}
"""Operators with a rule whose body is differentiated in its place where this asks for it."""


TangentRule = Callable[..., Mapping[Value, Value]]
"""`rule(op, node, tangents)` gives the tangents of a node's outputs from those of what it reads."""

TANGENT_RULES: dict[tuple[str, str], TangentRule] = {}
"""Forward-mode rules of control flow; every other operator's gradient rule is transposed."""


def tangent(*op_types: str, domain: str = "") -> Callable[[TangentRule], TangentRule]:
    """Register `rule(op, node, tangents)` as the forward derivative of the named operators."""

    def register(function: TangentRule) -> TangentRule:
        for op_type in op_types:
            TANGENT_RULES[domain, op_type] = function
        return function

    return register


def gradient(
    *op_types: str, domain: str = "", broadcasts: bool = False, widens: bool = False
) -> Callable[[RuleFunction], RuleFunction]:
    """Register `rule(op, node, dy)` as the gradient of the named operators."""

    def register(function: RuleFunction) -> RuleFunction:
        for op_type in op_types:
            assert (domain, op_type) not in RULES, op_type
            RULES[domain, op_type] = Rule(function, broadcasts, widens)
        return function

    return register


def body_where(op_type: str) -> Callable[[Asks], Asks]:
    """Register where the rule of an operator leaves the gradient to its body."""

    def register(function: Asks) -> Asks:
        BODY_WHERE["", op_type] = function
        return function

    return register


def composite_gradient(*op_types: str) -> Callable[[RuleFunction], RuleFunction]:
    """Register the gradient of composites, see `gradient`."""
    return gradient(*op_types, domain=COMPOSITE_DOMAIN)


def refused_gradient(reason: str, *op_types: str, domain: str = "") -> None:
    """State that the gradient of operators cannot be given, and why."""
    for op_type in op_types:
        REFUSED_GRADIENT[domain, op_type] = reason

    @gradient(*op_types, domain=domain)
    def rule(op: object, node: Node, *dys: Value | None) -> Entries:
        return [Refused(reason) for _ in node.inputs]


def zero_gradient(kind: ZeroKind, reason: str, *op_types: str, domain: str = "") -> None:
    """State that operators have no gradient by any input, and why."""
    for op_type in op_types:
        ZERO_GRADIENT[domain, op_type] = Zero(kind, reason)
