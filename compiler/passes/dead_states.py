"""Take out what loops carry and branches give in vain; whole dead nodes are dead_code.py's."""

from ..differentiation.activity import is_recurrence
from ..graph.dead_code import remove_dead_code
from ..graph.ir import Graph, Node, Value
from ..graph.recurrence import Recurrence
from ..graph.subgraphs import run_on_subgraphs


def remove_dead_states(graph: Graph) -> bool:
    """Drop what a Loop, Scan or Iterate carries, reads or writes in vain, and an If's outputs."""
    changed = run_on_subgraphs(remove_dead_states, graph)
    for node in graph.nodes():
        if is_recurrence(node) and _drop(graph, Recurrence(node)):
            changed = True
        if node.operator == "If" and _drop_outputs(graph, node):
            changed = True
    return changed


def _drop_outputs(graph: Graph, node: Node) -> bool:
    used = {v for v in node.writes() if graph.consumers(v)} | set(graph.outputs)
    kept = [k for k, v in enumerate(node.outputs) if v in used]
    if not kept or len(kept) == len(node.outputs):
        return False
    for k in set(range(len(node.outputs))) - set(kept):
        graph.omit_output(node, k)
    node.outputs = tuple(node.outputs[k] for k in kept)
    for branch in node.subgraphs:
        branch.outputs = [branch.outputs[k] for k in kept]
        remove_dead_code(branch)
    graph.reconnect(node)
    return True


def _drop(graph: Graph, loop: Recurrence) -> bool:
    used = {v for v in loop.node.writes() if graph.consumers(v)} | set(graph.outputs)
    written = {k for k, v in enumerate(loop.written) if v not in used}
    live, influence = _live(loop, used, written)
    states = {k for k in range(loop.states) if k not in live}
    read = {k for k, v in enumerate(loop.entries_in) if v not in influence}
    if not loop.lead or loop.node.inputs[0] is None:  # a tape tells the number of steps
        read -= {0}
    if len(states) + len(written) == len(loop.node.outputs):
        return False  # it is dead as a whole
    if states or written or read:
        loop.drop(graph, states, read, written)
        return True
    return False


def _live(loop: Recurrence, used: set[Value], written: set[int]) -> tuple[set[int], set[object]]:
    """Give the states that something reads in the end, and what the body needs for all that."""
    live = {k for k, v in enumerate(loop.final) if v in used}
    kept = [v for k, v in enumerate(loop.entries_out) if k not in written]
    going = loop.body.outputs[: loop.lead // 2]
    while True:
        targets = {*kept, *going, *(loop.states_out[k] for k in live)}
        influence = loop.body.upstream(targets) | targets
        found = {k for k, v in enumerate(loop.states_in) if v in influence}
        if found <= live:
            return live, set(influence)
        live |= found
