"""Forward mode: push tangents through a graph, each node by its gradient rule transposed.

There is no second table of rules. A rule is linear in its cotangent, so its transpose is the
node's forward derivative; only control flow has rules of its own.
"""

from collections.abc import Iterable, Mapping

from ..composites.expand import expand_node, has_body
from ..emission.naming import TANGENT
from ..emission.ops import Ops
from ..emission.sequences import add, zeros_like
from ..errors import GradientError, locate
from ..graph.collection import without_collection
from ..graph.ir import Graph, Node, Value
from ..graph.types import OptionalType, is_differentiable
from .reverse import Sums, apply_rule, expand_path, has_rule, total, walk_back
from .rules import TANGENT_RULES, GradientOps, Refused

Tangents = dict[Value, Value]


@without_collection()
def push_forward(graph: Graph, tangents: Mapping[Value, Value], of: Iterable[Value]) -> Tangents:
    """Emit the derivative of each of `of` in the direction of the tangents, in place.

    Args:
        graph: the graph that is extended.
        tangents: for some values of the graph, the direction in which each is moved.
        of: the values whose change is asked for.

    Returns:
        The tangent of each of `of`; those that the moved values do not influence are absent.

    Raises:
        UnsupportedOpError: operators on the way have no rule; all of them at once.
        GradientError: a rule refuses.
    """
    of = list(of)
    path = expand_path(graph, of, tangents)
    known: Tangents = dict(tangents)
    for node in [n for n in graph.nodes() if n in path]:
        if not any(v in known for v in node.reads()):
            continue
        first = next(node.writes())
        op = Ops(graph, prefix=f"{TANGENT}{first.name.removeprefix(TANGENT)}/")
        rule = TANGENT_RULES.get((node.domain, node.op_type))
        try:
            pushed = rule(op, node, known) if rule is not None else _transposed(op, node, known)
        except Exception as error:
            if node.label not in str(error):
                locate(error, f"in the tangent of {node.label}")
            raise
        for value, tangent in pushed.items():
            known[value] = add(op, known[value], tangent) if value in known else tangent
    return {v: known[v] for v in of if v in known}


def _transposed(op: Ops, node: Node, tangents: Tangents) -> Tangents:
    """Apply a node's gradient rule to zeros, transpose what it emitted, and drop it."""
    graph = op.graph
    moving = [v for v in node.writes() if is_differentiable(v.type)]
    if not moving:
        return {}
    dummies = {v: _dummy(op, v) for v in moving}
    log = GradientOps(graph, op.prefix, frozenset())
    entries = apply_rule(log, node, [dummies.get(v) if v else None for v in node.outputs])
    sums: Sums = {}
    for value, entry in entries.items():
        if value not in tangents or entry is None:
            continue
        if isinstance(entry, Refused):
            raise GradientError(f"{node.label} by '{value.name}': {entry.reason}")
        sums.setdefault(entry, []).append(tangents[value])
    reached = _reached_from(graph, log.emitted, dummies.values())
    walk_back(graph, [n for n in log.emitted if n in reached], sums, reached)
    _measure_values_not_dummies(op, dummies)
    return {v: t for v, u in dummies.items() if (t := total(op, sums, u)) is not None}


def _dummy(op: Ops, value: Value) -> Value:
    """Give zeros that rules take for any cotangent, also where they were put into an optional."""
    zeros = zeros_like(op, value)
    dummy: Value = op.Identity(zeros) if isinstance(value.type, OptionalType) else zeros
    dummy.type = value.type
    return dummy


def _reached_from(graph: Graph, emitted: list[Node], dummies: Iterable[Value]) -> set[Value | Node]:
    """Give what depends on the dummies, after nodes there without a rule were expanded."""
    reached: set[Value | Node] = set(dummies)
    k = 0
    while k < len(emitted):
        node = emitted[k]
        if any(v in reached and is_differentiable(v.type) for v in node.reads()):
            if not has_rule(node) and has_body(node):
                emitted[k : k + 1] = expand_node(graph, node)
                continue
            reached.add(node)
            reached.update(node.writes())
        k += 1
    return reached


def _measure_values_not_dummies(op: Ops, dummies: Mapping[Value, Value]) -> None:
    """Let what asks for a dummy's shape ask for the value's: then the dummies are dead."""
    for value, dummy in dummies.items():
        for node in op.graph.consumers(dummy):
            if node.op_type == "Shape" and not node.domain:
                shape = node.output()
                op.graph.replace_uses(shape, op.Shape(value, **node.attributes))
