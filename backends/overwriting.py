"""Which steps of a graph may write over state that is fed back, and the order that lets them.

A kernel may write over an input that nothing reads afterwards, if whoever runs the graph owns that
memory: a stepper owns its state. Such steps move forward to where all that they need has run, so
that a gradient is freed as soon as its parameter is updated.
"""

from collections.abc import Mapping, Sequence
from math import prod

from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.types import TensorType, is_static
from .kernels.registry import KERNELS

_SMALL = 64
"""Most elements of a value that is computed early: counts, rates and the like."""

MAKES_NEW = frozenset(
    {
        "Add", "BatchNormalization", "Conv", "ConvTranspose", "Div", "Exp", "Gelu", "Gemm",
        "LayerNormalization", "MatMul", "Mul", "Pow", "Sqrt", "Sub", "Tanh",
        "onnxgrad.AdamUpdate", "onnxgrad.BatchNormalizationGrad", "onnxgrad.ConvInputGrad",
        "onnxgrad.ConvWeightGrad", "onnxgrad.GatherGrad", "onnxgrad.GeluGrad",
        "onnxgrad.LayerNormalizationGrad", "onnxgrad.SgdUpdate",
    }
)  # fmt: skip
"""Operators whose kernels give arrays of their own. What others give may show their inputs."""


def overwriting_order(
    graph: Graph, nodes: Sequence[Node], pairs: Mapping[Value, Value]
) -> tuple[list[Node], dict[Node, frozenset[int]]]:
    """Give an order of the nodes, and the outputs of each that may take their input's memory.

    Args:
        graph: the graph.
        nodes: its nodes that run, in order.
        pairs: what each input that may be overwritten becomes at the next run.
    """
    nodes = _small_first(graph, nodes)
    candidates = {n: found for n in nodes if (found := _candidates(n, pairs))}
    if not candidates:
        return nodes, {}
    shown = _shown_by(nodes, {v for found in candidates.values() for v in found.values()})
    nodes = _as_early_as_possible(nodes, candidates, shown)
    last = {v: k for k, node in enumerate(nodes) for v in node.reads()}
    kept = set(graph.outputs)
    allowed = {}
    for k, node in enumerate(nodes):
        free = frozenset(
            output
            for output, before in candidates.get(node, {}).items()
            if not kept & shown[before]
            and all(last.get(v, -1) <= k for v in shown[before])
            and sum(v in shown[before] for v in node.inputs) == 1
        )
        if free:
            allowed[node] = free
    return nodes, allowed


def _candidates(node: Node, pairs: Mapping[Value, Value]) -> dict[int, Value]:
    """Give the inputs that a node's kernel can write over with what they become, by output."""
    entry = KERNELS.get((node.domain, node.op_type))
    found = {}
    for output, index in (entry.overwrites if entry is not None else {}).items():
        before = node.input(index)
        after = node.outputs[output] if output < len(node.outputs) else None
        if before is not None and after is not None and pairs.get(before) is after:
            found[output] = before
    return found


def _shown_by(nodes: Sequence[Node], owners: set[Value]) -> dict[Value, set[Value]]:
    """Give for each owner all values that may lie in its memory, itself included."""
    shown: dict[Value, set[Value]] = {v: {v} for v in owners}
    within: dict[Value, set[Value]] = {v: {v} for v in owners}
    for node in nodes:
        entry = KERNELS.get((node.domain, node.op_type))
        if node.operator in MAKES_NEW and entry is not None and entry.ours:
            continue
        sources = {o for v in node.reads() for o in within.get(v, ())}
        if sources:
            for value in node.writes():
                within[value] = sources
                for owner in sources:
                    shown[owner].add(value)
    return shown


def _as_early_as_possible(
    nodes: Sequence[Node],
    candidates: Mapping[Node, Mapping[int, Value]],
    shown: Mapping[Value, set[Value]],
) -> list[Node]:
    """Move each candidate to where its inputs are computed and what it writes over is read."""
    rest = [n for n in nodes if n not in candidates]
    made = {v: k for k, node in enumerate(rest) for v in node.writes()}
    last = {v: k for k, node in enumerate(rest) for v in node.reads()}
    computed = {v for n in candidates for v in n.writes()}
    after: dict[int, list[Node]] = {}
    for node, overwritten in candidates.items():
        needs = [made.get(v, -1) for v in node.reads()]
        needs += [last.get(v, -1) for owner in overwritten.values() for v in shown[owner]]
        after.setdefault(max(needs), []).append(node)
        if any(v in computed for v in node.reads()):
            return list(nodes)  # one update reads what another gives: leave all where they are
    if any(v in computed for n in rest for v in n.reads()):
        return list(nodes)
    order = after.get(-1, [])
    for k, node in enumerate(rest):
        order += [node, *after.get(k, ())]
    return order


def _small_first(graph: Graph, nodes: Sequence[Node]) -> list[Node]:
    """Bring forward what is small and depends on nothing large that is computed."""
    early: set[Node] = set()
    for node in nodes:
        makers = [graph.producer(v) for v in node.reads() if v.constant is None]
        if all(map(_is_small, node.writes())) and all(m is None or m in early for m in makers):
            early.add(node)
    return [n for n in nodes if n in early] + [n for n in nodes if n not in early]


def _is_small(value: Value) -> bool:
    shape = value.type.shape if isinstance(value.type, TensorType) else None
    return shape is not None and is_static(shape) and prod(map(int, shape)) <= _SMALL
