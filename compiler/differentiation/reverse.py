"""Reverse mode: walk a graph's nodes backwards once and let each node's rule emit its gradient.

It knows no operator: rules enter the table beside it (rules.py) from compiler/gradients, which is
where callers get the engine from, so that the rules are there.
"""

from collections.abc import Iterable, Mapping, Sequence, Set

from ..composites.expand import expand_node, has_body
from ..emission.accumulation import as_float32, cast_to
from ..emission.broadcasting import reduce_to
from ..emission.naming import GRADIENT
from ..emission.ops import Ops
from ..emission.sequences import add, add_all
from ..errors import GradientError, UnsupportedOpError, locate
from ..graph.collection import without_collection
from ..graph.dims import shapes_may_equal
from ..graph.ir import Graph, Node, Value
from ..graph.types import TensorType, is_differentiable
from ..inference.shapes import refine
from ..opset import COMPOSITE_DOMAIN
from .activity import Path, flows_inside
from .half_precision import in_float32, reads_half
from .rules import (
    BODY_WHERE,
    REFUSED_GRADIENT,
    RULES,
    ZERO_GRADIENT,
    Entries,
    Entry,
    GradientOps,
    Refused,
)

Cotangents = dict[Value, Value]

Sums = dict[Value, list[Value]]
"""What has arrived at each value, yet to be added up."""


@without_collection()
def backpropagate(
    graph: Graph, cotangents: Mapping[Value, Value], wrt: Iterable[Value]
) -> Cotangents:
    """Emit the gradients of Σ <cotangent, value> by each `wrt` that it depends on, in place.

    Nodes on the way that have a body but no rule for it are expanded first.

    Args:
        graph: the graph that is extended.
        cotangents: for each value that is differentiated, the gradient that arrives there.
        wrt: values of the graph, of float dtype.

    Returns:
        The gradient of each of `wrt`; those that receive none are absent.

    Raises:
        UnsupportedOpError: operators on the way have no rule; all of them at once.
        GradientError: a rule refuses.
    """
    wrt = list(wrt)
    path = expand_path(graph, cotangents, wrt)
    sums = {v: [dy] for v, dy in cotangents.items()}
    nodes = [n for n in graph.nodes() if n in path]
    walk_back(graph, nodes, sums, path)
    ops = Ops(graph, prefix=GRADIENT)
    return {v: dv for v in wrt if (dv := total(ops, sums, v)) is not None}


def walk_back(graph: Graph, nodes: Sequence[Node], sums: Sums, path: Set[Value | Node]) -> None:
    """Apply the rules of nodes, the last first, and collect what arrives at the values on a path.

    Args:
        graph: the graph that is extended.
        nodes: in topological order, each with a rule.
        sums: what has arrived at each value, gains what the rules give.
        path: the values that gradients are wanted for on the way.
    """
    for node in reversed(nodes):
        op = gradient_ops(graph, node, path)
        arriving = [None if v is None else total(op, sums, v) for v in node.outputs]
        if all(dy is None for dy in arriving):
            continue
        for value, entry in apply_rule(op, node, arriving).items():
            if value in path and is_differentiable(value.type) and entry is not None:
                if isinstance(entry, Refused):
                    raise GradientError(f"{node.label} by '{value.name}': {entry.reason}")
                sums.setdefault(value, []).append(entry)


def gradient_ops(graph: Graph, node: Node, path: Path) -> GradientOps:
    """Give the emitter for the gradient of one node; what it emits is named after the node."""
    first = next(node.writes())
    return GradientOps(graph, f"{GRADIENT}{first.name.removeprefix(GRADIENT)}/", path)


def apply_rule(op: GradientOps, node: Node, arriving: Iterable[Value | None]) -> dict[Value, Entry]:
    """Apply a node's rule and check what it gives; entries for a repeated input are added."""
    key = (node.domain, node.op_type)
    if key in ZERO_GRADIENT:
        return {}
    rule = RULES[key]
    try:
        seen, dys = node, list(arriving)
        if rule.widens and reads_half(node):
            seen = in_float32(op, node)
            dys = [None if dy is None else as_float32(op, dy) for dy in dys]
        entries = rule.function(op, seen, *dys)
    except Exception as error:
        locate(error, f"in the gradient of {node.label}")
        raise
    result: dict[Value, Entry] = {}
    for value, entry in _pairs(node, entries):
        if isinstance(entry, Value):
            entry = _fit(op, node, value, entry, rule.broadcasts, seen is not node)
            if isinstance(previous := result.get(value), Value):
                entry = add(op, previous, entry)
        if entry is not None or value not in result:
            result[value] = entry
    return result


def expand_path(graph: Graph, of: Iterable[Value], wrt: Iterable[Value]) -> set[Value | Node]:
    """Give what lies between `wrt` and `of`, after nodes there without a rule were expanded."""
    without: list[Node] = []
    path = _expand_path(graph, list(of), list(wrt), without)
    if without:
        listed = ", ".join(sorted({n.label for n in without}))
        raise UnsupportedOpError(
            f"no gradient rule for {listed}; give them one by og.register_gradient, differentiate "
            "by a value after them, or use others that have one (`onnxgrad ops` lists those)",
            sorted({n.operator for n in without}),
        )
    return path


def _expand_path(
    graph: Graph, of: list[Value], wrt: list[Value], without: list[Node]
) -> set[Value | Node]:
    """Expand in a graph and in the subgraphs on its path; note the nodes without a rule."""
    while True:
        path = _path_between(graph, of, wrt)
        nodes = [n for n in graph.nodes() if n in path]
        bare = [n for n in nodes if not has_rule(n, path)]
        bodies = [n for n in bare if has_body(n)]
        if not bodies:
            break
        for node in bodies:
            expand_node(graph, node)
    without.extend(bare)
    for node in nodes:
        for inner in flows_inside(node, path):
            _expand_path(inner.graph, inner.of, inner.wrt, without)
            graph.reconnect(node)
    return path


def has_rule(node: Node, path: Set[Value | Node] = frozenset()) -> bool:
    """Tell whether a rule or the statement of a zero gradient exists for a node on a path."""
    key = (node.domain, node.op_type)
    if key in BODY_WHERE and BODY_WHERE[key](node, path):
        return False
    return key in RULES or key in ZERO_GRADIENT


def _path_between(graph: Graph, of: list[Value], wrt: list[Value]) -> set[Value | Node]:
    """Give the nodes and float values by which `wrt` moves `of`; steps and integers end a path."""
    between = graph.upstream(of) & graph.downstream(wrt)
    moved = {v for v in wrt if v in between}
    passed = []
    for node in [n for n in graph.nodes() if n in between]:
        key = (node.domain, node.op_type)
        if node.domain == COMPOSITE_DOMAIN and key in REFUSED_GRADIENT:
            # also where its input has no derivative: what it stands for may have one
            raise GradientError(f"{node.label}: {REFUSED_GRADIENT[key]}")
        zero = key in ZERO_GRADIENT
        if not zero and any(v in moved for v in node.reads()):
            moved.update(v for v in node.writes() if is_differentiable(v.type))
            passed.append(node)
    path: set[Value | Node] = {v for v in of if v in moved}
    for node in reversed(passed):
        if any(v in path for v in node.writes()):
            path.add(node)
            path.update(v for v in node.reads() if v in moved)
    return path


def _pairs(node: Node, entries: Entries) -> Iterable[tuple[Value, Entry]]:
    if isinstance(entries, Mapping):
        return entries.items()
    listed = (entries,) if entries is None or isinstance(entries, Value | Refused) else entries
    if len(listed) < len(node.inputs):
        raise GradientError(
            f"the rule of {node.label} gave {len(listed)} entries for {len(node.inputs)} inputs"
        )
    return [(v, e) for v, e in zip(node.inputs, listed, strict=False) if v is not None]


def _fit(op: Ops, node: Node, value: Value, entry: Value, broadcasts: bool, widened: bool) -> Value:
    """Bring a gradient to its value's type; they must agree but for what is symbolic."""
    if not isinstance(value.type, TensorType):
        return entry
    if widened and isinstance(entry.type, TensorType):
        entry = cast_to(op, entry, value)
    if broadcasts:
        entry = reduce_to(op, entry, value)
    if entry.dtype != value.dtype or not shapes_may_equal(entry.shape, value.shape):
        raise GradientError(
            f"the rule of {node.label} gave {entry.type} for '{value.name}', which is "
            f"{value.type}; this is a defect of onnxgrad, please report it"
        )
    entry.type = TensorType(entry.dtype, refine(value.shape, entry.shape))
    return entry


def total(op: Ops, sums: Sums, value: Value) -> Value | None:
    """Add up the contributions to one value, once."""
    parts = sums.get(value)
    if not parts:
        return None
    sums[value] = [add_all(op, parts)]
    return sums[value][0]
