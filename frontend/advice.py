"""What stands between a value and what it should influence, and what to do: errors and warnings."""

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence

from onnxgrad.compiler.composites.expand import body_of, has_body
from onnxgrad.compiler.errors import GradientError
from onnxgrad.compiler.gradients import ZERO_GRADIENT
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.subgraphs import all_nodes, nodes_within
from onnxgrad.compiler.graph.types import is_differentiable
from onnxgrad.compiler.passes.levels import SOURCES
from onnxgrad.compiler.standard.contrib import is_contrib

_ZEROS = "allow_unused=True gives zeros"

_STRAIGHT = "og.straight_through(graph) gives the graph through whose quantization gradients pass"


def refuse_unused(
    graph: Graph, targets: Sequence[Value], sources: Sequence[Value], otherwise: str = _ZEROS
) -> None:
    """Refuse to give zeros for what does not depend on something; say what cuts it off.

    Raises:
        GradientError: always.
    """
    results, listed = (_quoted([v.name for v in values]) for values in (targets, sources))
    between = list(_between(graph, targets, sources))
    stops = _stops(between, targets, sources)
    flat = stops or [n for n in between if _is_flat(n)]
    rounding = [n for node in between for n in nodes_within(node) if _rounds(n) and not stops]
    named = list(dict.fromkeys([*rounding, *flat]))
    why = f", for the gradient of {_some(named)} is zero" if named else ""
    passing = f"{_STRAIGHT}; " if rounding else ""
    raise GradientError(
        f"{results} does not depend on {listed} in a differentiable way{why}; {passing}{otherwise}"
    )


def warn_of_rounding(graph: Graph, targets: Iterable[Value], sources: Iterable[Value]) -> None:
    """Warn where a part of a gradient is zero, for it would have to pass quantization."""
    if not any(map(_rounds, all_nodes(graph))):
        return  # what lies between need not be looked for
    nodes = [n for node in _between(graph, targets, sources) for n in nodes_within(node)]
    rounding = [n for n in nodes if _rounds(n)]
    if rounding and not any(n.op_type == "StraightThrough" for n in nodes):
        warn(
            f"no gradient passes {_some(rounding)}, which rounds, so the result counts other ways "
            f"only; {_STRAIGHT}"
        )


def warn(message: str) -> None:
    """Warn at the line that called this package, wherever that is."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "onnxgrad":
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def _between(graph: Graph, targets: Iterable[Value], sources: Iterable[Value]) -> Iterator[Node]:
    """Yield the nodes that lie between, those that round where their integers go there."""
    before, after = graph.upstream(targets), graph.downstream(sources)
    for node in graph.nodes():
        if node in before and node in after and (not _rounds(node) or node.outputs[0] in before):
            yield node


def _stops(
    between: Iterable[Node], targets: Iterable[Value], sources: Iterable[Value]
) -> list[Node]:
    """Give the first flat nodes on all ways, if these end there whatever gradients pass later.

    Then what rounds after them is no reason, and to let gradients through it is no help.
    """
    reached, stops = set(sources), []
    for node in between:
        if reached.isdisjoint(node.reads()):
            continue
        if _is_flat(node) and not _rounds(node):
            stops.append(node)
        else:
            reached.update(node.writes())
    return [] if not reached.isdisjoint(targets) else stops


def _rounds(node: Node) -> bool:
    """Tell whether a node rounds to quantized integers, by itself or in its body."""
    if is_contrib(node) and has_body(node):
        return any(part.operator in SOURCES for n in body_of(node) for part in nodes_within(n))
    return node.operator in SOURCES


def _is_flat(node: Node) -> bool:
    """Tell whether no gradient passes a node: it has none, or makes floats something else."""
    if (node.domain, node.op_type) in ZERO_GRADIENT:
        return True
    reads, writes = (
        any(is_differentiable(v.type) for v in vs) for vs in (node.reads(), node.writes())
    )
    return reads and not writes


def _some(nodes: Sequence[Node]) -> str:
    shown = ", ".join(n.label for n in nodes[:3])
    return shown if len(nodes) <= 3 else f"{shown} and {len(nodes) - 3} more"


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{n}'" for n in names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
