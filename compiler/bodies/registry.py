"""The table of bodies of standard operators; what replaces a node by one is expand.py's work."""

from collections.abc import Callable

from ..ir import Node, Value
from ..ops import Ops

Body = Callable[[Ops, Node], Value]

BODIES: dict[str, Body] = {}


def body(op_type: str) -> Callable[[Body], Body]:
    """Register `body(op, node)`, which emits operators that compute a node's one output."""

    def register(function: Body) -> Body:
        assert op_type not in BODIES, op_type
        BODIES[op_type] = function
        return function

    return register
