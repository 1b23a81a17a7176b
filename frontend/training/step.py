"""Training steps as graphs: forward, backward and update in one; the update rules are in optim/.

The step of a graph keeps the graph's inputs and outputs and adds, for everything that training
changes, an input and the output "<input>.new" that is fed back there at the next step.
"""

import json
from collections.abc import Mapping
from functools import reduce

import numpy as np

from onnxgrad.compiler.differentiation.reverse import backpropagate
from onnxgrad.compiler.emission.accumulation import as_float32, cast_to
from onnxgrad.compiler.emission.naming import STATE_KEY, STEP, after_step
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import as_array, require_graph, require_mapping
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.names import suggestion
from onnxgrad.compiler.graph.types import TensorType, is_float
from onnxgrad.compiler.passes.let_vary import let_vary
from onnxgrad.compiler.passes.pipeline import clean_up

from ..advice import refuse_unused, warn_of_rounding
from ..optim import Optimizer, Update, scale_loss
from ..optim.settings import require_optimizer
from ..selection import (
    Selected,
    Selection,
    add_output,
    copied,
    require_scalar,
    seed_of_one,
    select_one,
)
from ..weights.parameters import ADVICE, choose_parameters, statistics_of
from .update import is_optimizer_state

State = dict[str, np.ndarray]


def train_step(
    graph: Graph,
    loss: str | Value = "loss",
    optimizer: Optimizer | None = None,
    parameters: Selection | None = None,
    frozen: Selection | None = None,
) -> Graph:
    """Give one graph that computes the loss, its gradients and the updated parameters.

    Its inputs are the graph's own, the learning rate where the optimizer names one, then the
    parameters and the optimizer's state; its outputs the graph's own, then "<name>.new" for each
    parameter and state. `og.compile(step).stepper()` starts from the initial state and feeds back;
    `initial_state` gives it to others. Running statistics of BatchNormalization in training mode
    are state too.

    What it trains, `initial_state(step)` lists by name, beside the optimizer's own state. Of a file
    `onnxgrad info MODEL --parameters` tells which initializers are weights, and why others are not.

    Example:
        >>> step = og.compile(og.train_step(g, optimizer=og.optim.SGD(0.1))).stepper()
        >>> loss = step(x=images, label=labels)["loss"]
        >>> trained = og.with_parameters(g, step.state())

    Args:
        graph: any graph with a scalar loss.
        loss: a float tensor of one element.
        optimizer: one of `og.optim`, alone or wrapped, or an object like them. Parameters of 16
            bits are moved by it in float32, as the state "<parameter>.master".
        parameters: initializers, constants or inputs to train, by name or pattern; by default
            every weight that the loss depends on. A pattern stands for weights, too: initializers
            but for those that are constants by their use, such as exponents, masks, position
            tables and statistics. It may match the name in torch, which the exporter's notes tell
            where it lost the name. Some exporters write weights as Constant nodes: those that Conv,
            Gemm, MatMul and the like read count as initializers.
        frozen: what of these to leave alone, by name or pattern. Nothing is computed for it: the
            way back ends at the lowest layer that is trained.

    Raises:
        GradientError: the loss is not a scalar or does not depend on a parameter.
    """
    optimizer = require_optimizer(optimizer)
    step, target, chosen = find_trained(graph, loss, parameters, frozen)
    update = Update(step)
    scale = optimizer.loss_scale(update) if isinstance(optimizer, scale_loss) else None
    gradients = emit_gradients(step, target, chosen, scale)
    emit_update(step, update, optimizer, gradients)
    clean_up(step)
    return step


def find_trained(
    graph: Graph, loss: str | Value, parameters: Selection | None, frozen: Selection | None
) -> tuple[Graph, Value, Selected]:
    """Give a copy of the graph, the loss in it and what is trained, which may vary there.

    Raises:
        GraphError: a name is unknown.
        GradientError: the loss is not a scalar, or nothing is trained.
    """
    step, mapping = copied(graph)
    target = select_one(graph, mapping, loss, "loss")
    require_scalar(step, target, "loss")
    chosen = choose_parameters(graph, loss, parameters, frozen).mapped(mapping)
    held = [v for v in chosen.values if v.constant is not None]
    let_vary(step, [v for v in held if not v.parameter])
    return step, target, chosen


def emit_gradients(
    step: Graph, target: Value, chosen: Selected, scale: Value | None
) -> dict[Value, Value]:
    """Emit the gradient of the loss, times a scale, by each parameter, in at least float32.

    Raises:
        GradientError: the loss does not depend on a parameter that was named.
    """
    op = Ops(step, prefix=STEP)
    seed = seed_of_one(step, target)
    if scale is not None:
        seed = op.Mul(seed, cast_to(op, scale, target))
    found = backpropagate(step, {target: seed}, chosen.values)
    values = chosen.only(found).values
    if unused := [v for v in values if v not in found]:
        refuse_unused(step, [target], unused, ADVICE)
    warn_of_rounding(step, [target], values)
    return {v: as_float32(op, found[v]) for v in values}


def emit_update(
    step: Graph, update: Update, optimizer: Optimizer, gradients: Mapping[Value, Value]
) -> None:
    """Emit what parameters and state become, by their gradients, as inputs and outputs."""
    moved = {v: update.parameter(v) for v in gradients}
    new = update.apply(optimizer, {w: gradients[v] for v, w in moved.items()})
    for v, w in moved.items():
        if w is not v:
            update.keep(w, new[w])
    pairs = {v: update.cast(new[w], v) for v, w in moved.items()}
    finite = reduce(update.op.And, update.finite) if update.finite else None
    feed_back(step, pairs | statistics_pairs(step, finite) | update.pairs)
    for rate in update.rates:
        add_output(step, update.op.Cast(rate, to="float32"), step.names.fresh("learning_rate"))


def feed_back(step: Graph, pairs: Mapping[Value, Value]) -> None:
    """Make what each value becomes the output "<input>.new", and write the pairs down."""
    names = {}
    for before, after in pairs.items():
        if before not in step.inputs:
            step.inputs.append(before)
        taken = after in step.outputs
        if step.producer(after) is None or taken or not after.name.startswith(STEP):
            after = Ops(step, prefix=STEP).Identity(after)
        if (name := after_step(before.name)) in step.names:
            raise GraphError(
                f"the name '{name}', of what '{before.name}' becomes, is taken; the graph may be a "
                "training step already"
            )
        step.rename(after, name)
        step.outputs.append(after)
        names[before.name] = after.name
    step.metadata[STATE_KEY] = json.dumps(names)


def statistics_pairs(graph: Graph, finite: Value | None = None) -> dict[Value, Value]:
    """Pair running statistics with their updates, which training mode gives as outputs 1 and 2.

    Nodes that share statistics update them one after the other. Where `finite` is false they stay
    what they are.
    """
    pairs: dict[Value, Value] = {}
    for node, statistics in statistics_of(graph).items():
        found = dict(zip(statistics, node.outputs[1:3], strict=False))
        updates = {before: after for before, after in found.items() if after is not None}
        if updates and not pairs.keys().isdisjoint(statistics):
            read = [pairs.get(v, v) for v in statistics]
            node.inputs = (*node.inputs[:3], *read, *node.inputs[5:])
            graph.reconnect(node)
        pairs |= updates
    if finite is not None:
        op = Ops(graph, prefix=STEP)
        pairs = {before: op.Where(finite, after, before) for before, after in pairs.items()}
    return pairs


def state_names(step: Graph) -> dict[str, str]:
    """Give the pairs of a training step: input name → name of the output that is fed back there.

    Raises:
        GraphError: the graph is not a training step.
    """
    if STATE_KEY not in require_graph(step).metadata:
        raise GraphError(
            f"the graph '{step.name}' is not a training step; make one by og.train_step"
        )
    pairs: dict[str, str] = json.loads(step.metadata[STATE_KEY])
    return pairs


def initial_state(step: Graph) -> State:
    """Give the arrays to feed at the first step: the model's parameters, zeros for the optimizer.

    A step that was read from a file has no arrays; save `start_graph(step)` beside it.
    """
    found = {name: step.find(name).constant for name in state_names(step)}
    missing = [name for name, array in found.items() if array is None]
    if missing:
        raise GraphError(
            f"the step does not hold the first value of {', '.join(missing)}; if it was read from "
            "a file, run the start graph, which og.start_graph gave where the step was made, else "
            "pass your own arrays"
        )
    return {name: array.copy() for name, array in found.items() if array is not None}


def start_graph(step: Graph) -> Graph:
    """Give a graph without inputs whose outputs are the initial state, named as the step's inputs.

    Saved beside the step it lets any runtime start training: run it once, then feed the step.
    """
    state = initial_state(step)
    start = Graph(f"{step.name}.start")
    op = Ops(start)
    for name, array in state.items():
        type_ = TensorType(array.dtype, array.shape)
        held = start.add_value(Value(f"start/{name}", type_, array, parameter=True))
        value = op.Identity(held, outputs=[name])
        start.outputs.append(value)
    return start


def with_parameters(graph: Graph, arrays: Mapping[str, np.ndarray]) -> Graph:
    """Give the graph with other values for its initializers, such as a step's state.

    What an optimizer keeps beside the parameters that are given is passed over.

    Raises:
        GraphError: the graph has no such initializer, or one of another dtype or shape.
    """
    copy = require_graph(graph).copy()
    arrays = require_mapping(arrays, "arrays")
    held = {
        v.name: v
        for v in copy.values()
        if v.constant is not None
        and copy.producer(v) is None
        and (v.parameter or is_float(v.dtype))
    }
    given = arrays.keys() & held.keys()
    if unknown := [n for n in arrays if n not in held and not is_optimizer_state(n, given)]:
        name = unknown[0]
        if any(v.name == name for v in copy.inputs):
            raise GraphError(f"'{name}' is an input, which holds no array; feed it")
        raise GraphError(f"the graph has no parameter '{name}'{suggestion(name, held)}")
    changed = {name: held[name] for name in arrays if name in given}
    let_vary(copy, [v for v in changed.values() if not v.parameter])
    for name, value in changed.items():
        array = as_array(arrays[name])
        if array.dtype != value.dtype or array.shape != value.shape:
            raise GraphError(
                f"'{value.name}' is {value.type}, got {TensorType(array.dtype, array.shape)}"
            )
        value.constant = array.copy()
    return copy
