"""A training step in graphs that processes run on parts of a batch, between which they add up."""

from dataclasses import dataclass
from functools import reduce

from onnxgrad.compiler.differentiation.reverse import backpropagate
from onnxgrad.compiler.emission.accumulation import as_float32, cast_to
from onnxgrad.compiler.emission.naming import STEP
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.dead_code import remove_dead_nodes
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import TensorType, is_float

from ..advice import refuse_unused
from ..optim import Optimizer, Update, scale_loss
from ..optim.settings import require_optimizer
from ..selection import Selection, add_output, seed_of_one
from ..weights.parameters import ADVICE
from .parting import PartedLoss, extract, part_loss
from .step import emit_update, feed_back, find_trained, statistics_pairs
from .update import all_finite


@dataclass(frozen=True)
class SharedGraphs:
    """What processes run for a step, each on its part of a batch.

    Args:
        rounds: graphs that give sums over examples, which the next ones read of the whole batch.
        backward: gives "<parameter>.grad", which adds up over the parts, running statistics, and
            the sums that no graph before had to give.
        update: reads the gradients and sums of the whole batch; gives the loss and "<name>.new".
        sums: the input for the whole batch, by the output for a part.
        examples: the input for the number of examples of the whole batch, int64 [1].
    """

    rounds: list[Graph]
    backward: Graph
    update: Graph
    sums: dict[str, str]
    examples: str


def share_step(
    graph: Graph,
    loss: str,
    optimizer: Optimizer | None = None,
    parameters: Selection | None = None,
    frozen: Selection | None = None,
) -> SharedGraphs:
    """Give `train_step` as graphs for parts of a batch.

    With S the sums over examples that a loss L(S, w) is computed of, its gradient is
    ∂L/∂S·dS/dw + ∂L/∂w. The first term is a sum over the parts, once ∂L/∂S is that of the whole
    batch; the second is the same for all parts.

    Args:
        graph, loss, optimizer, parameters, frozen: as in `train_step`.

    Raises:
        GraphError: the loss is not computed of examples one by one and of sums over them.
        GradientError: the loss is not a scalar or does not depend on a parameter.
    """
    optimizer = require_optimizer(optimizer)
    first, target, chosen = find_trained(graph, loss, parameters, frozen)
    fed = [v for v in first.inputs if v not in chosen.values]
    parted = part_loss(first, target, fed, chosen.values)
    first.rename(target, first.names.fresh(f"{loss}.part"))
    first.rename(parted.loss, loss)
    mapping: dict[Value, Value] = {}
    second = parted.of_sums(mapping)
    remove_dead_nodes(second)
    update = Update(second)
    scale = None
    if isinstance(optimizer, scale_loss):
        state = optimizer.loss_scale(update)
        scale = first.add_value(Value(state.name, state.type))
        first.inputs.append(scale)
        mapping[scale] = state
    through = _through_sums(first, parted, chosen.values, scale)
    moved = [mapping[v] for v in chosen.values]
    direct = _gradients(second, mapping[parted.loss], moved, scale and mapping[scale])
    found = {v for v in chosen.values if v in through or mapping[v] in direct}
    values = chosen.only(found).values
    if unused := [v for v in values if v not in found]:
        refuse_unused(first, [target], unused, ADVICE)
    first.outputs = []
    gradients = {}
    for v in values:
        terms = [as_float32(update.op, direct[mapping[v]])] if mapping[v] in direct else []
        if v in through:
            terms.append(_hand_over(first, second, v, through[v]))
        gradients[mapping[v]] = reduce(update.op.Add, terms)
    emit_update(second, update, optimizer, gradients)
    finite = all_finite(Ops(first, prefix=STEP), list(first.outputs)) if update.finite else None
    feed_back(first, statistics_pairs(first, finite))
    before = parted.needed_by([*first.outputs, *(s.part for s in parted.sums)])
    after = [s for s in parted.sums if s not in before]
    held = chosen.values
    return SharedGraphs(
        [extract(first, [s.part for s in r], held) for r in parted.rounds(before)],
        extract(first, [*first.outputs, *(s.part for s in after)], held),
        extract(second, second.outputs),
        {s.part.name: s.whole.name for s in parted.sums},
        parted.parted.examples.name,
    )


def _hand_over(first: Graph, second: Graph, w: Value, dw: Value) -> Value:
    """Let the first graph give the gradient of a parameter, and the second read it."""
    dw = as_float32(Ops(first, prefix=STEP), dw)
    name = f"{w.name}.grad"
    if name in first.names:
        raise GraphError(f"the name '{name}', of the gradient of '{w.name}', is taken")
    received = second.add_value(Value(name, TensorType(dw.dtype, w.shape)))
    second.inputs.append(received)
    add_output(first, dw, name)
    return received


def _through_sums(
    graph: Graph, parted: PartedLoss, wrt: list[Value], scale: Value | None
) -> dict[Value, Value]:
    """Emit the gradient by way of the sums over examples, of which each part has its own share."""
    sums = {s.whole: s.part for s in parted.sums if is_float(s.whole.dtype)}
    arriving = _gradients(graph, parted.loss, list(sums), scale)
    return backpropagate(graph, {sums[v]: dv for v, dv in arriving.items()}, wrt)


def _gradients(
    graph: Graph, loss: Value, wrt: list[Value], scale: Value | None
) -> dict[Value, Value]:
    """Emit the gradient of the loss, times a scale, by values that it depends on."""
    op = Ops(graph, prefix=STEP)
    seed = seed_of_one(graph, loss)
    if scale is not None:
        seed = op.Mul(seed, cast_to(op, scale, loss))
    return backpropagate(graph, {loss: seed}, wrt)
