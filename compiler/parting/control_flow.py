"""Where examples are in what branches and loops give."""

from collections.abc import Mapping, Sequence

from ..graph.ir import Graph, Value
from ..standard.schemas import attribute
from .registry import Call, Mixed, Places, Result, Rows, parting, rank_of

_MOST_ROUNDS = 4
"""So often a loop's state may turn out to hold examples after it was taken for the same in all."""


@parting("If")
def branches(call: Call) -> Result:
    """One branch for all examples."""
    if call.of(0) is not None:
        raise Mixed("takes a branch for the whole batch by what its examples are")
    found = [_outputs(call, graph, {}) for graph in call.node.subgraphs]
    return [_agreed(pair) for pair in zip(*found, strict=True)]


@parting("Loop")
def loop(call: Call) -> Result:
    """States hold the same examples in each round; scan outputs get an axis in front."""
    (body,) = call.node.subgraphs
    if call.of(0) is not None or call.of(1) is not None:
        raise Mixed("runs for the whole batch as long as its examples tell")
    states = [call.of(k) for k in range(2, len(call.node.inputs))]
    found = _steady(call, body, states, {}, 2, 1)
    if found[0] is not None:
        raise Mixed("runs for the whole batch as long as its examples tell")
    count = len(states) + 1
    return [*found[1:count], *(r and Rows(r.axis + 1, r.outer) for r in found[count:])]


@parting("Scan")
def scan(call: Call) -> Result:
    """Of each sequence a step is taken along its axis, which is not that of the examples."""
    node = call.node
    (body,) = node.subgraphs
    count = attribute(node, "num_scan_inputs")
    first = len(node.inputs) - count
    axes = node.attributes.get("scan_input_axes") or [0] * count
    read = dict[Value, Rows]()
    for k, axis in enumerate(axes, first):
        rows = call.of(k)
        if rows is None:
            continue
        axis %= rank_of(node.required(k + 1)[k])
        if axis == rows.axis:
            raise Mixed("goes from example to example")
        read[body.inputs[k]] = Rows(rows.axis - (axis < rows.axis), rows.outer)
    found = _steady(call, body, [call.of(k) for k in range(first)], read, 0, 0)
    places = node.attributes.get("scan_output_axes") or [0] * (len(found) - first)
    scans = [
        r and Rows(r.axis + (axis % (rank_of(v) + 1) <= r.axis), r.outer)
        for r, axis, v in zip(found[first:], places, body.outputs[first:], strict=True)
    ]
    return [*found[:first], *scans]


def _steady(
    call: Call,
    body: Graph,
    states: list[Rows | None],
    read: Mapping[Value, Rows],
    skipped: int,
    ahead: int,
) -> list[Rows | None]:
    """Give where a body's outputs hold examples once its states hold them where they go back."""
    for _ in range(_MOST_ROUNDS):
        pairs = zip(body.inputs[skipped:], states, strict=False)
        found = _outputs(call, body, {**read, **{v: r for v, r in pairs if r is not None}})
        after = [_agreed(p) for p in zip(states, found[ahead : ahead + len(states)], strict=True)]
        if after == states:
            return found
        states = after
    raise Mixed("moves examples from axis to axis")


def _outputs(call: Call, body: Graph, inputs: Mapping[Value, Rows]) -> list[Rows | None]:
    captured = {v: call.rows[v] for v in body.captures() if v in call.rows}
    found: Places = call.inside(body, {**captured, **inputs})
    return [found.get(v) for v in body.outputs]


def _agreed(found: Sequence[Rows | None]) -> Rows | None:
    """Give the place that holds whichever it is; what is the same for all holds examples, too."""
    places = {r for r in found if r is not None}
    if len(places) > 1:
        raise Mixed("has examples on one axis or another")
    return places.pop() if places else None
