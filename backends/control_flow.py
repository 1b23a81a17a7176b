"""Run the operators that hold subgraphs; each gets plans of its subgraphs made ready to run."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ..compiler.ir import Node, Value


class SubgraphPlan(Protocol):
    """A subgraph made ready to run."""

    captures: list[Value]

    def run(self, inputs: list[Any], captured: list[Any]) -> list[Any]:
        """Run on inputs and captured values; give the outputs."""


Maker = Callable[[Any, Node, Mapping[str, Any]], Callable[..., Any]]
"""`maker(xp, node, plans)` gives a kernel of the node's inputs followed by all captured values."""

SUBGRAPH_KERNELS: dict[str, Maker] = {}
