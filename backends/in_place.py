"""Which updates of a step may write over the state they read; it decides while compiling."""

from collections.abc import Mapping

from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.opset import COMPOSITE_DOMAIN

_UPDATED = {"AdamUpdate": (0, 2, 3)}
"""The inputs that a composite gives anew, in the order of its outputs."""

_FRESH = frozenset(
    {
        "Add", "Conv", "Div", "Gemm", "MatMul", "Mul", "Pow", "Sqrt", "Sub",
        "AdamUpdate", "ConvInputGrad", "ConvWeightGrad", "GeluGrad", "LayerNormalizationGrad",
    }
)  # fmt: skip
"""What certainly gives new arrays. All other results may be views of what was read."""


def updates_in_place(graph: Graph, feedback: Mapping[str, str]) -> set[Node]:
    """List the updates after which nobody reads the state that they read, nor a view of it."""
    nodes = graph.nodes()
    found = set()
    for index, node in enumerate(nodes):
        if node.domain != COMPOSITE_DOMAIN or node.op_type not in _UPDATED:
            continue
        old = [node.inputs[k] for k in _UPDATED[node.op_type]]
        if not all(
            _is_fed_back(graph, *pair, feedback) for pair in zip(old, node.outputs, strict=True)
        ):
            continue
        shared = _may_share(nodes, {v for v in old if v is not None})
        later = {v for n in nodes[index + 1 :] for v in n.reads()}
        others = [v for k, v in enumerate(node.inputs) if k not in _UPDATED[node.op_type]]
        if len(set(old)) == len(old) and shared.isdisjoint({*later, *graph.outputs, *others}):
            found.add(node)
    return found


def _is_fed_back(
    graph: Graph, old: Value | None, new: Value | None, feedback: Mapping[str, str]
) -> bool:
    if old is None or new is None or old not in graph.inputs or new not in graph.outputs:
        return False
    return feedback.get(old.name) == new.name and list(feedback.values()).count(new.name) == 1


def _may_share(nodes: list[Node], values: set[Value]) -> set[Value]:
    """Close over what may be the same memory as one of some values."""
    shared = set(values)
    for node in nodes:
        if node.op_type not in _FRESH and not shared.isdisjoint(node.reads()):
            shared.update(node.writes())
    return shared
