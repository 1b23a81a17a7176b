"""The table of writers: what writes an operator as loops over small arrays."""

from collections.abc import Callable

from ....compiler.graph.ir import Node
from ....compiler.opset import COMPOSITE_DOMAIN
from .program import Program

Writer = Callable[[Program, Node], None]
"""It writes what computes a node; it raises NotWritten for calls that it does not know."""

WRITERS: dict[tuple[str, str], Writer] = {}


def writer(*op_types: str, domain: str = "") -> Callable[[Writer], Writer]:
    """Register a writer of the named operators."""

    def register(function: Writer) -> Writer:
        for op_type in op_types:
            assert (domain, op_type) not in WRITERS, op_type
            WRITERS[domain, op_type] = function
        return function

    return register


def composite_writer(*op_types: str) -> Callable[[Writer], Writer]:
    """Register a writer of composites."""
    return writer(*op_types, domain=COMPOSITE_DOMAIN)
