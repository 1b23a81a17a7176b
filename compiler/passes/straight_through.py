"""Let gradients pass straight through quantization; what the graph computes stays what it is.

What an operator of onnxruntime's computes with quantized tensors is told by its body, which stands
beside it: the value is the operator's, the derivative the body's.
"""

from collections.abc import Sequence
from functools import partial

from ..composites.expand import emit_body, has_body
from ..differentiation.rules import has_chosen_gradient
from ..emission.ops import Ops
from ..errors import UnsupportedOpError
from ..gradients import ZERO_GRADIENT, ZeroKind
from ..graph.ir import Graph, Node
from ..graph.subgraphs import nodes_within, run_within
from ..standard.contrib import is_contrib
from .levels import QUANTIZED, RULES, SOURCES, Known, replace_by


def let_through(graph: Graph) -> None:
    """Give quantized tensors levels and what dequantizes them the levels' derivative, in place.

    Raises:
        UnsupportedOpError: operators that compute with quantized integers and let nothing through;
            all of them at once.
    """
    refused: dict[str, None] = {}
    _walk(graph, Known(), refused)
    if refused:
        raise UnsupportedOpError(
            f"nothing passes straight through {', '.join(refused)}; quantized tensors may go into "
            f"{', '.join(sorted(RULES.keys() - SOURCES))}",
            sorted({label.partition(" ")[0] for label in refused}),
        )


def _walk(graph: Graph, known: Known, refused: dict[str, None]) -> None:
    _visit(graph, graph.nodes(), known, refused)


def _visit(graph: Graph, nodes: Sequence[Node], known: Known, refused: dict[str, None]) -> None:
    for node in nodes:
        run_within(partial(_walk, known=known, refused=refused), graph, node)
        op = Ops(graph, node.position, f"{next(node.writes()).name}/")
        if is_contrib(node) and has_body(node) and not has_chosen_gradient(node):
            _follow_body(op, node, known, refused)
            continue
        handed = [*node.inputs, *(v for g in node.subgraphs for v in g.outputs)]
        if node.operator not in SOURCES and not any(v in known.levels for v in handed if v):
            continue
        rule = RULES.get(node.operator)
        if rule is not None:
            rule(op, node, known)
        elif _computes_with_integers(node):
            refused[node.label] = None


def _follow_body(op: Ops, node: Node, known: Known, refused: dict[str, None]) -> None:
    """Emit the body of a node beside it, and give the node's outputs what passes through that."""
    results = emit_body(op, node)
    body = list(op.emitted)
    rounds = any(n.operator in QUANTIZED for part in body for n in nodes_within(part))
    if not rounds and not any(v in known.levels for v in node.reads()):
        for part in reversed(body):  # no rounding on the way: the node is differentiated itself
            op.graph.remove(part)
        return
    _visit(op.graph, body, known, refused)
    for y, result in zip(node.outputs, results, strict=False):
        if y is not None and result is not None and result in known.levels:
            known.levels[y] = known.levels[result]
    replace_by(op, node, results)


def _computes_with_integers(node: Node) -> bool:
    """Tell whether an operator does arithmetic on what it reads, as far as anybody knows."""
    zero = ZERO_GRADIENT.get((node.domain, node.op_type))
    return zero is None or zero.kind is ZeroKind.INTEGERS
