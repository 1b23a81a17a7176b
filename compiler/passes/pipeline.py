"""Which passes run when, and the driver that checks the graph after each of them."""

from collections.abc import Callable

from ..errors import locate
from ..graph.dead_code import remove_dead_code, remove_dead_nodes
from ..graph.ir import Graph
from ..standard.verifier import verify
from .dead_states import remove_dead_states
from .duplicates import merge_duplicates, merge_emitted_duplicates
from .known_branches import take_known_branches
from .push_out import push_out
from .simplify import simplify

Pass = Callable[[Graph], bool]
"""Rewrites a graph in place; tells whether it changed anything."""


def run_passes(graph: Graph, *passes: Pass) -> bool:
    """Run passes in order, check the graph after each that changed it; errors name the pass."""
    changed = False
    for step in passes:
        try:
            if step(graph):
                verify(graph)
                changed = True
        except Exception as error:
            locate(error, f"in the pass {step.__name__} over the graph '{graph.name}'")
            raise
    return changed


def fixpoint(*passes: Pass) -> Pass:
    """Give the pass that runs others in turn until none of them changes anything."""

    def repeat(graph: Graph) -> bool:
        changed = False
        while run_passes(graph, *passes):
            changed = True
        return changed

    return repeat


def clean_up(graph: Graph) -> bool:
    """Do what every transformation ends with."""
    return run_passes(
        graph,
        remove_dead_nodes,
        push_out,
        fixpoint(remove_dead_states, remove_dead_nodes),
        merge_emitted_duplicates,
        remove_dead_nodes,
    )


def shrink(graph: Graph) -> bool:
    """Do everything that makes a graph smaller without changing what it computes."""
    return fixpoint(
        remove_dead_code,
        take_known_branches,
        push_out,
        remove_dead_states,
        simplify,
        merge_duplicates,
    )(graph)
