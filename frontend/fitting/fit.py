"""Train a graph on data for some epochs; a single step is of training/."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Any

import numpy as np

from onnxgrad.backends.base import Stepper
from onnxgrad.compiler.errors import GraphError, OnnxgradError
from onnxgrad.compiler.graph.arguments import (
    require_count,
    require_flag,
    require_function,
    require_graph,
)
from onnxgrad.compiler.graph.ir import Graph, Value

from ..files import as_path
from ..optim import Optimizer
from ..parallel import Group, find_group
from ..running import compile
from ..selection import Selection, copied, select_one
from ..training.sharing import share_step
from ..training.step import initial_state, state_names, train_step, with_parameters
from .batches import Order
from .checkpoint import Arrays, fingerprint, without_addresses
from .data import open_data
from .evaluation import Evaluation, Metric
from .interruption import stop_on_signals
from .reports import Record
from .run import Plan, Run
from .shared_step import SharedStep


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a run gave.

    Args:
        graph: the graph with trained weights: of the best validation, else of the last step.
        history: what the run reported, step by step; of a resumed run, since it went on.
        steps: how many steps have run, those before a resumption included.
        state: what the next step would read.
    """

    graph: Graph
    history: list[Record] = field(repr=False)
    steps: int
    state: dict[str, np.ndarray] = field(repr=False)


def fit(
    graph: Graph,
    data: Any,
    loss: str | Value = "loss",
    optimizer: Optimizer | None = None,
    *,
    epochs: int = 1,
    batch_size: int | None = None,
    parameters: Selection | None = None,
    frozen: Selection | None = None,
    validation: Any = None,
    metric: Metric | None = None,
    patience: int | None = None,
    backend: str = "numpy",
    checkpoints: str | PathLike[str] | None = None,
    resume: bool = False,
    seed: int = 0,
    shuffle: bool = True,
    parallel: Group | str | None = None,
    report: Callable[[Record], None] | None = None,
) -> Fitted:
    """Train a graph on data.

    Each epoch draws the examples in an order of its own, which seed and epoch determine: a run
    that goes on from its checkpoint ends with the very same numbers as one that never stopped.
    Ctrl-C and SIGTERM end a run between two steps, its checkpoint written.

    Example:
        >>> g = og.losses.cross_entropy(og.load("model.onnx"), of="logits")
        >>> data = {"x": images, "label": labels}
        >>> tuned = og.fit(g, data, optimizer=og.optim.AdamW(1e-3), epochs=5).graph

    Args:
        graph: any graph with a scalar loss.
        data: arrays by input name whose first axis counts the examples; a path of them (.npz,
            .safetensors, or a folder of .npy, which stay on the disk); or something that yields
            batches, dicts of arrays, from the start in each epoch.
        loss: a float tensor of one element.
        optimizer: as of `og.train_step`.
        epochs: how often each example is seen.
        batch_size: examples a step; by default what the inputs ask for, else 32.
        parameters, frozen: what to train and what to leave alone; as of `og.train_step`.
        validation: data that are only looked at, after each epoch.
        metric: scores a validation batch from its outputs and feeds, as the mean over its
            examples, or as a mean and over how many; more is better. By default the loss alone
            counts, that of all examples together, in whatever batches they come.
        patience: stop after so many validations in turn that are not the best.
        backend: where it runs.
        checkpoints: the folder for "last.safetensors" and "best.safetensors".
        resume: go on from "last.safetensors" where there is one.
        seed: of the order of examples.
        shuffle: whether to draw an order.
        parallel: the processes that share the run, each with a part of every batch: "mpi" for
            those of mpiexec, "torch" for those of torchrun, "nccl" for GPUs by CuPy, or a Group of
            `onnxgrad.parallel`. The number may differ when a run is resumed. The step is that of
            the whole batch, whatever the loss computes of sums and means over examples, also of
            those that count; BatchNormalization in training mode alone normalizes each part by
            itself. A loss that compares examples with each other is refused.
        report: is called with a record after each step and each validation, and, of a run that is
            to go on, before the first: "resumed", or "started" where there was no checkpoint.

    Raises:
        GraphError: an argument is wrong or lacks another that it needs, the data do not fit the
            inputs, a loss is not finite, or processes cannot share it; the node is named.
        GradientError: the loss is not a scalar or does not depend on a parameter.
        ModelFileError: a file cannot be read or written, or a checkpoint is of another run.
    """
    require_graph(graph)
    require_count(epochs, "epochs", 1)
    if batch_size is not None:
        require_count(batch_size, "batch_size", 1)
    if patience is not None:
        require_count(patience, "patience", 1)
        if validation is None:
            raise GraphError("patience=… counts validations; give validation=…, data for them")
    if require_count(seed, "seed") >= 2**63:
        raise GraphError(f"seed must be less than 2**63, not {seed}")
    if require_flag(resume, "resume") and checkpoints is None:
        raise GraphError("resume=True goes on from a checkpoint; give its folder, checkpoints=…")
    require_flag(shuffle, "shuffle")
    if metric is not None:
        require_function(metric, "metric", 2)
        if validation is None:
            raise GraphError("metric=… scores validations; give validation=…, data for them")
    if report is not None:
        require_function(report, "report", 1)
    goal, mapping = copied(graph)
    target = select_one(graph, mapping, loss, "loss")
    goal.outputs = [target]
    needed = goal.upstream([target])
    goal.inputs = [v for v in goal.inputs if v in needed]
    group = find_group(parallel)
    step = train_step(goal, target.name, optimizer, parameters, frozen)
    order = Order(seed, shuffle, group.rank, group.size)
    states, names = state_names(step), {v.name for v in graph.values()}
    fed = [v for v in step.inputs if v.name not in states]
    evaluation = None
    if validation is not None:
        held = [n for n in states if n in names]
        needed = graph.upstream([graph.find(target.name)])
        wanted = [v for v in graph.inputs if metric is not None or v in needed]
        seen = open_data(validation, wanted, batch_size, replace(order, shuffle=False))
        evaluation = Evaluation(graph, target.name, metric, held, seen, backend, group)
    stepper: Callable[[Arrays], Stepper]
    if group.size == 1:
        stepper = compile(step, backend).stepper
    else:
        graphs = share_step(goal, target.name, optimizer, parameters, frozen)
        stepper = SharedStep(graphs, backend, group).stepper
    settings = {
        "model": fingerprint(step),
        "seed": seed,
        "shuffle": shuffle,
        "batch_size": batch_size,
        "optimizer": without_addresses(repr(optimizer)),
    }
    if validation is not None:  # scores of another kind are not better or worse than the best
        settings["metric"] = "loss" if metric is None else without_addresses(repr(metric))
    plan = Plan(
        step=step,
        loss=target.name,
        data=open_data(data, fed, batch_size, order),
        epochs=epochs,
        stepper=stepper,
        settings=settings,
        folder=None if checkpoints is None else as_path(checkpoints),
        evaluation=evaluation,
        patience=patience,
        report=report or (lambda record: None),
        group=group,
    )
    with stop_on_signals() as request:
        try:
            run = Run(plan, initial_state(step), resume)
            run.go(request)
        except OnnxgradError as error:
            group.fail(error)
    state = run.state()
    weights = {v.name for v in graph.values() if v.constant is not None}
    trained = {n: a for n, a in (run.best or state).items() if n in weights}
    return Fitted(with_parameters(graph, trained), run.history, run.progress.step, state)
