"""Take sums of products out of loops: acc + AᵀB in every step → one product of all A and B."""

import numpy as np

from ..differentiation.activity import is_recurrence
from ..emission.accumulation import cast_to, is_half
from ..emission.naming import GRADIENT
from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value
from ..graph.recurrence import NewTape, Recurrence, Tape, is_invariant, steps_dim
from ..graph.types import TensorType
from ..standard.schemas import attribute
from .subgraphs import run_on_subgraphs


def push_out(graph: Graph) -> bool:
    """Replace a state that only adds up Gemm(A, B, transA=1) or ReduceSum(Z) by A, B or Z of all
    steps, and one Gemm or ReduceSum behind the loop.

    Not where A and B differ in shape from step to step, or where nothing keeps Z anyway.
    """
    changed = run_on_subgraphs(push_out, graph)
    for node in graph.nodes():
        if is_recurrence(node):
            loop = Recurrence(node)
            for k in reversed(range(loop.states)):
                changed = _push_state(graph, loop, k) or changed
    return changed


def _push_state(graph: Graph, loop: Recurrence, k: int) -> bool:
    term, initial, final = _added(loop, k), loop.initial[k], loop.final[k]
    if term is None or initial is None or final is None:
        return False
    op = Ops(graph, loop.node.position, f"{GRADIENT}{final.name.removeprefix(GRADIENT)}/")
    total = _summed(op, graph, loop, term)
    if total is None:
        return False
    total = cast_to(op, total, final)
    if not _is_zero(graph, initial):
        total = op.Add(initial, total)
    total.type = final.type
    graph.redirect(total, final)
    loop.drop(graph, {k})
    return True


def _added(loop: Recurrence, k: int) -> Node | None:
    """Give the node whose result is added to a state that nothing else reads."""
    body, state, after = loop.body, loop.states_in[k], loop.states_out[k]
    add = body.producer(after)
    if add is None or add.operator != "Add" or body.consumers(state) != [add]:
        return None
    if body.consumers(after) or sum(v is after or v is state for v in body.outputs) != 1:
        return None
    terms = [v for v in add.inputs if v is not state]
    return body.producer(terms[0]) if len(terms) == 1 and terms[0] is not None else None


def _summed(op: Ops, graph: Graph, loop: Recurrence, term: Node) -> Value | None:
    """Give the sum of a term over all steps, None where it stays inside.

    Half precision is added up in float32 in the loop and in one product alike: no cast is needed.
    """
    swapped = False
    while _is_transposition(term) or _is_widening(term):
        inner = term.inputs[0]
        producer = None if inner is None else loop.body.producer(inner)
        if producer is None:
            return None
        term, swapped = producer, swapped != _is_transposition(term)
    if term.operator == "Gemm" and len(term.inputs) == 2:
        return _product(op, graph, loop, term, swapped)
    if term.operator == "ReduceSum" and not swapped and len(term.inputs) == 2:
        return _sum(op, loop, term)
    return None


def _is_transposition(node: Node) -> bool:
    return node.operator == "Transpose" and node.attributes.get("perm", [1, 0]) == [1, 0]


def _is_widening(node: Node) -> bool:
    x, y = node.inputs[0], node.outputs[0]
    return node.operator == "Cast" and bool(x and y and is_half(x) and y.dtype == np.float32)


def _product(op: Ops, graph: Graph, loop: Recurrence, gemm: Node, swapped: bool) -> Value | None:
    settings = gemm.attributes
    plain = settings.get("alpha", 1.0) == 1.0 and not settings.get("transB", 0)
    if not settings.get("transA", 0) or not plain:
        return None
    factors = [v for v in gemm.inputs if v is not None and loop.body.owns(v)]
    if len(factors) != 2 or not all(is_invariant(loop, v.type) for v in factors):
        return None
    kept = [_kept(loop, v) for v in factors]
    backward = next((t[1].backward for t in kept if t is not None), False)
    a, b = (
        t[0] if t is not None and t[1].backward == backward else _keep(graph, loop, v, backward)
        for v, t in zip(factors, kept, strict=True)
    )
    a, b = op.Flatten(a, axis=-1), op.Flatten(b, axis=-1)
    return op.Gemm(b, a, transA=1) if swapped else op.Gemm(a, b, transA=1)


def _sum(op: Ops, loop: Recurrence, reduction: Node) -> Value | None:
    x, axes = reduction.inputs
    kept = None if x is None else _kept(loop, x)
    if kept is None or axes is None or axes.constant is None or attribute(reduction, "keepdims"):
        return None
    if x is None or x.rank is None or not axes.constant.size:
        return None
    behind = [0, *(int(a) % x.rank + 1 for a in axes.constant)]
    return op.ReduceSum(kept[0], behind, keepdims=0)


def _kept(loop: Recurrence, value: Value) -> tuple[Value, Tape] | None:
    """Give a tensor that stacks a body's value of all steps along axis 0, where there is one."""
    tapes = [
        *zip(loop.entries_in, loop.read, loop.input_tapes, strict=True),
        *zip(loop.entries_out, loop.written, loop.output_tapes, strict=True),
    ]
    for entry, tape, spec in tapes:
        if entry is value and tape is not None and isinstance(tape.type, TensorType):
            if spec.axis == 0:
                return tape, spec
    return None


def _keep(graph: Graph, loop: Recurrence, value: Value, backward: bool) -> Value:
    """Write a value of every step to a new tape; a Loop writes forwards only."""
    type_ = TensorType(value.dtype, (steps_dim(loop), *(value.shape or ())))
    name = f"{GRADIENT}{value.name.removeprefix(GRADIENT)}/steps"
    (tape,) = loop.extend(graph, written=[NewTape(value, Tape(0, backward, type_), name=name)])
    return tape


def _is_zero(graph: Graph, value: Value) -> bool:
    if value.constant is not None:
        return not value.parameter and not value.constant.any()
    node = graph.producer(value)
    if node is None or node.operator != "ConstantOfShape":
        return False
    filler = node.attributes.get("value")
    return filler is None or not filler.any()
