"""Which passes run when; the passes are the files beside this one."""

from collections.abc import Callable

from ..ir import Graph
from .dead_code import remove_dead_code

Pass = Callable[[Graph], bool]
"""Rewrites a graph in place; tells whether it changed anything."""


def clean_up(graph: Graph) -> bool:
    """What every transformation ends with."""
    return remove_dead_code(graph)
