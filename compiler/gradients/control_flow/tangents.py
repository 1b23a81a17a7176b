"""Forward mode through If, Loop and Scan: states, tapes and outputs double, nothing is saved."""

from collections.abc import Mapping

from ...differentiation.activity import moved
from ...differentiation.forward import push_forward
from ...differentiation.rules import tangent
from ...emission.naming import TANGENT
from ...emission.ops import Ops
from ...emission.sequences import zeros_like
from ...graph.ir import Graph, Node, Value
from ...graph.recurrence import NewState, NewTape, Recurrence
from ...opset import COMPOSITE_DOMAIN

Tangents = Mapping[Value, Value]


@tangent("If")
def branch(op: Ops, node: Node, tangents: Tangents) -> Tangents:
    """Each branch gives the tangents of its outputs too, zeros for those that nothing moves."""
    branches: list[Graph] = [node.attributes["then_branch"], node.attributes["else_branch"]]
    pushed = []
    for graph in branches:
        known = {v: tangents[v] for v in graph.captures() if v in tangents}
        pushed.append(push_forward(graph, known, graph.outputs))
    result: dict[Value, Value] = {}
    for k, y in enumerate(node.outputs):
        inside = [graph.outputs[k] for graph in branches]
        if y is None or not any(v in known for v, known in zip(inside, pushed, strict=True)):
            continue
        for graph, value, known in zip(branches, inside, pushed, strict=True):
            inner = Ops(graph, prefix=TANGENT)
            graph.outputs.append(known[value] if value in known else zeros_like(inner, value))
        name = op.graph.names.fresh(f"{TANGENT}{y.name}")
        result[y] = op.graph.add_output(node, len(node.outputs), Value(name, y.type))
    op.graph.reconnect(node)
    return result


@tangent("Iterate", domain=COMPOSITE_DOMAIN)
@tangent("Loop", "Scan")
def recurrence(op: Ops, node: Node, tangents: Tangents) -> Tangents:
    """The body steps the states' tangents along with the states."""
    loop, inner = Recurrence(node), Ops(node.attributes["body"], prefix=TANGENT)
    known = {v: tangents[v] for v in loop.body.captures() if v in tangents}
    read = []
    for entry, tape, spec in zip(loop.entries_in, loop.read, loop.input_tapes, strict=True):
        if tape is not None and tape in tangents:
            known[entry] = _input(inner, entry)
            read.append(NewTape(known[entry], spec, tangents[tape]))
    moving = sorted(moved(loop, tangents.keys(), set(known))[0])
    before = {k: _input(inner, loop.states_in[k]) for k in moving}
    known |= {loop.states_in[k]: tangent for k, tangent in before.items()}
    pushed = push_forward(loop.body, known, [*loop.states_out, *loop.entries_out])
    states = []
    for k in moving:
        after = loop.states_out[k]
        states.append(
            NewState(
                _initial(op, loop, k, tangents),
                before[k],
                pushed[after] if after in pushed else zeros_like(inner, after),
                f"{TANGENT}{after.name}/final",
                (node.outputs[k] or after).type,
            )
        )
    moved_outputs = [node.outputs[k] for k in moving]
    written = []
    for entry, y, spec in zip(loop.entries_out, loop.written, loop.output_tapes, strict=True):
        if y is not None and entry in pushed:
            written.append(NewTape(pushed[entry], spec, name=f"{TANGENT}{y.name}"))
            moved_outputs.append(y)
    results = loop.extend(op.graph, states, read, written)
    return {y: t for y, t in zip(moved_outputs, results, strict=True) if y is not None}


def _input(op: Ops, value: Value) -> Value:
    name = op.graph.names.fresh(f"{TANGENT}{value.name}")
    return op.graph.add_value(Value(name, value.type))


def _initial(op: Ops, loop: Recurrence, k: int, tangents: Tangents) -> Value:
    initial = loop.initial[k]
    return tangents[initial] if initial in tangents else zeros_like(op, initial)
