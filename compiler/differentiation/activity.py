"""Which values inside branches and bodies a gradient passes through; it emits nothing."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from ..graph.ir import Graph, Node, Value
from ..graph.recurrence import Recurrence
from ..graph.types import is_differentiable
from ..opset import COMPOSITE_DOMAIN

Path = Set[Value | Node]


@dataclass(frozen=True, slots=True)
class Flow:
    """What is differentiated inside a subgraph, and by what."""

    graph: Graph
    of: list[Value]
    wrt: list[Value]


@dataclass(frozen=True, slots=True)
class Active:
    """The parts of a recurrence that a gradient passes through, as positions and captures.

    `states` carry cotangents from step to step; cotangents arrive at the tapes `written` and go to
    the tapes `read` and to `captures`.
    """

    states: list[int]
    read: list[int]
    written: list[int]
    captures: list[Value]


def flows_inside(node: Node, path: Path) -> Iterator[Flow]:
    """Yield what is differentiated in the subgraphs of a node on a path between wrt and of."""
    arriving = [v is not None and v in path and is_differentiable(v.type) for v in node.outputs]
    if is_recurrence(node):
        loop = Recurrence(node)
        active = activity(loop, path, arriving)
        yield recurrence_flow(loop, active)
    elif node.op_type == "If" and not node.domain:
        for branch in node.subgraphs:
            yield branch_flow(branch, path, arriving)


def is_recurrence(node: Node) -> bool:
    """Tell whether a node runs a body again and again with states."""
    return (node.domain, node.op_type) in _RECURRENCES


_RECURRENCES = {("", "Loop"), ("", "Scan"), (COMPOSITE_DOMAIN, "Iterate")}


def branch_flow(branch: Graph, path: Path, arriving: Sequence[bool]) -> Flow:
    """Give what is differentiated in one branch of If, by the values that it captures."""
    of = [v for v, wanted in zip(branch.outputs, arriving, strict=True) if wanted]
    return Flow(branch, of, [v for v in branch.captures() if _wanted(v, path)])


def recurrence_flow(loop: Recurrence, active: Active) -> Flow:
    """Give what is differentiated in the body of a recurrence."""
    of = [loop.states_out[k] for k in active.states] + [loop.entries_out[k] for k in active.written]
    wrt = [loop.states_in[k] for k in active.states] + [loop.entries_in[k] for k in active.read]
    return Flow(loop.body, of, wrt + active.captures)


def activity(loop: Recurrence, path: Path, arriving: Sequence[bool]) -> Active:
    """Find what a gradient passes through: two fixpoints over the way back to the next step.

    Args:
        loop: the recurrence.
        path: the values outside for which gradients are wanted.
        arriving: for each output of the node, whether a cotangent arrives there.
    """
    final, written = arriving[: loop.states], arriving[loop.states :]
    captures = [v for v in loop.body.captures() if _wanted(v, path)]
    entries = [
        entry
        for entry, tape in zip(loop.entries_in, loop.read, strict=True)
        if tape is not None and _wanted(tape, path)
    ]
    states, reach = moved(loop, path, {*captures, *entries})
    tapes = [
        k
        for k, (entry, wanted) in enumerate(zip(loop.entries_out, written, strict=True))
        if wanted and entry in reach and is_differentiable(entry.type)
    ]
    needed, influence = _needed(loop, final, [loop.entries_out[k] for k in tapes])
    return Active(
        [k for k in range(loop.states) if k in states and k in needed],
        [k for k, v in enumerate(loop.entries_in) if v in entries and v in influence],
        tapes,
        [v for v in captures if v in influence],
    )


def moved(loop: Recurrence, path: Path, seeds: set[Value]) -> tuple[set[int], Path]:
    """Give the states that wrt reaches, and all values of the body that it reaches."""
    states = {
        k
        for k, v in enumerate(loop.initial)
        if v is not None and _wanted(v, path) and is_differentiable(loop.states_in[k].type)
    }
    while True:
        sources = seeds | {loop.states_in[k] for k in states}
        reach = loop.body.downstream(sources) | sources
        found = {
            k for k, v in enumerate(loop.states_out) if v in reach and is_differentiable(v.type)
        }
        if found <= states:
            return states, reach
        states |= found


def _needed(loop: Recurrence, final: Sequence[bool], entries: list[Value]) -> tuple[set[int], Path]:
    """Give the states that reach a cotangent, and all values of the body that do."""
    needed = {k for k, wanted in enumerate(final) if wanted}
    while True:
        targets = {*entries, *(loop.states_out[k] for k in needed)}
        influence = loop.body.upstream(targets) | targets
        found = {k for k, v in enumerate(loop.states_in) if v in influence}
        if found <= needed:
            return needed, influence
        needed |= found


def _wanted(value: Value, path: Path) -> bool:
    return value in path and is_differentiable(value.type)
