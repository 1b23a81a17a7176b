"""Take sums of products out of loops: acc + AᵀB in every step → one product of all A and B."""

from collections.abc import Callable

import numpy as np

from ..differentiation.activity import is_recurrence
from ..emission.accumulation import cast_to, is_half
from ..emission.naming import GRADIENT
from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value
from ..graph.recurrence import NewTape, Recurrence, Tape, is_invariant, sizes_outside, steps_dim
from ..graph.subgraphs import run_on_subgraphs
from ..graph.types import TensorType
from ..standard.schemas import attribute


def push_out(graph: Graph) -> bool:
    """Replace a state that only adds up Gemm(A, B, transA=1) or ReduceSum(Z) by A, B or Z of all
    steps, and one Gemm or ReduceSum after the loop.

    Not where A and B differ in shape from step to step, or where nothing keeps Z anyway.
    """
    changed = run_on_subgraphs(push_out, graph)
    for node in graph.nodes():
        if is_recurrence(node):
            changed = _push_states(graph, Recurrence(node)) or changed
    return changed


def _push_states(graph: Graph, loop: Recurrence) -> bool:
    tapes = _Tapes(loop)
    pushed: dict[int, tuple[Value, Value, Emit]] = {}
    initial, final = loop.initial, loop.final
    for k in reversed(range(loop.states)):
        start, end, term = initial[k], final[k], _added(loop, k)
        if term is None or start is None or end is None:
            continue
        if (emit := _sum_of_steps(loop, tapes, term)) is not None:
            pushed[k] = start, end, emit
    if not pushed:
        return False
    tapes.write(graph)
    for start, end, emit in pushed.values():
        op = Ops(graph, loop.node.position, f"{GRADIENT}{end.name.removeprefix(GRADIENT)}/")
        total = cast_to(op, emit(op), end)
        if not _is_zero(graph, start):
            total = op.Add(start, total)
        total.type = end.type
        graph.redirect(total, end)
    loop.drop(graph, set(pushed))
    return True


class _Tapes:
    """The tensors that stack a body's values of all steps along axis 0, and those to be added."""

    def __init__(self, loop: Recurrence) -> None:
        self._loop = loop
        self._outside, self._steps = sizes_outside(loop), steps_dim(loop)
        self._directions: dict[Value, bool] = {}
        self._kept: dict[tuple[Value, bool], Value] = {}
        self._new: dict[tuple[Value, bool], NewTape] = {}
        read = zip(loop.entries_in, loop.read, loop.input_tapes, strict=True)
        written = zip(loop.entries_out, loop.written, loop.output_tapes, strict=True)
        for entry, tape, spec in (*read, *written):
            if tape is not None and isinstance(tape.type, TensorType) and spec.axis == 0:
                self._directions.setdefault(entry, spec.backward)
                self._kept.setdefault((entry, spec.backward), tape)

    def direction(self, value: Value) -> bool | None:
        """Tell whether a value is kept from the last step to the first, None where it is not."""
        return self._directions.get(value)

    def can_keep(self, value: Value) -> bool:
        """Tell whether a value of the body certainly has the same shape in all steps."""
        return self._loop.body.owns(value) and is_invariant(value.type, self._outside)

    def keep(self, value: Value, backward: bool) -> None:
        """Write a value of every step to a tape, where none is there; a Loop writes forwards."""
        key = value, backward
        if key in self._kept or key in self._new:
            return
        type_ = TensorType(value.dtype, (self._steps, *(value.shape or ())))
        name = f"{GRADIENT}{value.name.removeprefix(GRADIENT)}/steps"
        self._new[key] = NewTape(value, Tape(0, backward, type_), name=name)
        self._directions.setdefault(value, backward)

    def write(self, graph: Graph) -> None:
        """Let the loop write all that is to be kept."""
        tapes = self._loop.extend(graph, written=list(self._new.values()))
        self._kept |= zip(self._new, tapes, strict=True)

    def get(self, value: Value, backward: bool) -> Value:
        """Give the tape of a value."""
        return self._kept[value, backward]


def _added(loop: Recurrence, k: int) -> Node | None:
    """Give the node whose result is added to a state that nothing else reads."""
    body, state, after = loop.body, loop.states_in[k], loop.states_out[k]
    add = body.producer(after)
    if add is None or add.operator != "Add" or body.consumers(state) != [add]:
        return None
    if body.consumers(after) or body.outputs.count(after) + body.outputs.count(state) != 1:
        return None
    terms = [v for v in add.inputs if v is not state]
    return body.producer(terms[0]) if len(terms) == 1 and terms[0] is not None else None


Emit = Callable[[Ops], Value]
"""Emits the sum over all steps, once what it reads is kept."""


def _sum_of_steps(loop: Recurrence, tapes: _Tapes, term: Node) -> Emit | None:
    """Tell how to sum a term over all steps, None where it stays inside.

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
        return _product(tapes, term, swapped)
    if term.operator == "ReduceSum" and not swapped and len(term.inputs) == 2:
        return _sum(tapes, term)
    return None


def _is_transposition(node: Node) -> bool:
    return node.operator == "Transpose" and node.attributes.get("perm", [1, 0]) == [1, 0]


def _is_widening(node: Node) -> bool:
    x, y = node.inputs[0], node.outputs[0]
    return node.operator == "Cast" and bool(x and y and is_half(x) and y.dtype == np.float32)


def _product(tapes: _Tapes, gemm: Node, swapped: bool) -> Emit | None:
    settings = gemm.attributes
    plain = settings.get("alpha", 1.0) == 1.0 and not settings.get("transB", 0)
    if not settings.get("transA", 0) or not plain:
        return None
    factors = gemm.required(2)
    if not all(map(tapes.can_keep, factors)):
        return None
    known = [d for v in factors if (d := tapes.direction(v)) is not None]
    backward = known[0] if known else False
    for value in factors:
        tapes.keep(value, backward)

    def emit(op: Ops) -> Value:
        a, b = (op.Flatten(tapes.get(v, backward), axis=-1) for v in factors)
        product: Value = op.Gemm(b, a, transA=1) if swapped else op.Gemm(a, b, transA=1)
        return product

    return emit


def _sum(tapes: _Tapes, reduction: Node) -> Emit | None:
    x, axes = reduction.required(2)
    backward = tapes.direction(x)
    if backward is None or axes.constant is None or attribute(reduction, "keepdims"):
        return None
    if x.rank is None or not axes.constant.size:
        return None
    behind = [0, *(int(a) % x.rank + 1 for a in axes.constant)]

    def emit(op: Ops) -> Value:
        total: Value = op.ReduceSum(tapes.get(x, backward), behind, keepdims=0)
        return total

    return emit


def _is_zero(graph: Graph, value: Value) -> bool:
    if value.constant is not None:
        return not value.parameter and not value.constant.any()
    node = graph.producer(value)
    if node is None or node.operator != "ConstantOfShape":
        return False
    filler = node.attributes.get("value")
    return filler is None or not filler.any()
