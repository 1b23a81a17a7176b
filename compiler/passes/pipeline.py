"""Which passes run when, and the driver that checks the graph after them."""

from collections.abc import Callable

from ..errors import locate
from ..graph.collection import without_collection
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


@without_collection()
def run_passes(graph: Graph, *passes: Pass) -> bool:
    """Run passes in order, and check the graph if they changed it; errors name the passes."""
    changed = [step.__name__ for step in passes if _run(step, graph)]
    if changed:
        try:
            verify(graph)
        except Exception as error:
            locate(error, f"after {', '.join(changed)} over the graph '{graph.name}'")
            raise
    return bool(changed)


def fixpoint(*passes: Pass) -> Pass:
    """Give the pass that runs others in turn until none of them changes anything."""

    def repeat(graph: Graph) -> bool:
        changed = False
        while any([_run(step, graph) for step in passes]):
            changed = True
        return changed

    repeat.__name__ = ", ".join(step.__name__ for step in passes)
    return repeat


def _run(step: Pass, graph: Graph) -> bool:
    try:
        return step(graph)
    except Exception as error:
        locate(error, f"in the pass {step.__name__} over the graph '{graph.name}'")
        raise


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
    steps = fixpoint(
        remove_dead_code,
        take_known_branches,
        push_out,
        remove_dead_states,
        simplify,
        merge_duplicates,
    )
    return run_passes(graph, steps)
