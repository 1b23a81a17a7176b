"""The command that trains a model file: data in, the same file with other weights out."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from onnxgrad.compiler.emission.naming import STATE_KEY
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.names import suggestion
from onnxgrad.compiler.graph.wording import counted

from .. import losses, optim
from ..files import save_weights
from ..fitting.batches import Order
from ..fitting.data import open_data, read_arrays
from ..fitting.evaluation import Accuracy, Metric
from ..fitting.fit import fit
from ..fitting.reports import Record, curve_to, log_to, tensorboard_to
from ..losses.prediction import only_float_output
from ..optim.wrapper import Wrapper
from ..parallel import find_group
from ..weights.heads import new_head
from ..weights.parameters import statistics_of
from .application import Model, Output, command, require_file, require_place
from .pairs import read_pairs
from .progress import Lines, showing_progress
from .shapes import Shapes
from .spelled_calls import Spelling
from .terminal import read

LOSSES = {n: getattr(losses, n) for n in losses.__all__ if n not in ("check_labels", "total")}

SCHEDULES = {
    n: getattr(optim, n) for n in ("constant", "cosine", "linear_warm_up", "one_cycle", "piecewise")
}

OPTIMIZERS = {
    n: found
    for n in optim.__all__
    if hasattr(found := getattr(optim, n), "update") and n != "Optimizer"
}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a run makes small: a loss, with the output and the input that it compares if known."""

    graph: Graph
    loss: str
    of: str | None = None
    label: str | None = None

    def metric(self, name: str) -> Metric | None:
        """Give what validation goes by, by name; None: the loss.

        Raises:
            GraphError: there is no such metric, or nothing that it could compare.
        """
        if name == "loss":
            return None
        if name != "accuracy":
            raise GraphError(f"--metric is loss or accuracy, not '{name}'")
        if self.of is None or self.label is None:
            raise GraphError(
                "--metric accuracy compares logits and labels; it needs a --loss of them"
            )
        return Accuracy(self.of, self.label)


@command("train")
def train(
    model: Model,
    data: Annotated[
        Path, typer.Option(help="Arrays by input name: .npz, .safetensors or a folder of .npy.")
    ],
    output: Output,
    loss: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(LOSSES)}, perhaps with settings; or a scalar output of the model."
        ),
    ] = "cross_entropy",
    of: Annotated[
        str | None, typer.Option(help="The output that the loss is about; by default the only one.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The name of the labels or targets in the data.")
    ] = None,
    heads: Annotated[
        list[str] | None,
        typer.Option(
            "--new-head", help="A last layer for other classes, as output=classes; repeatable."
        ),
    ] = None,
    optimizer: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(OPTIMIZERS).lower()}, perhaps with settings and around another one."
        ),
    ] = "adamw",
    learning_rate: Annotated[float, typer.Option(help="The rate, the highest of it.")] = 1e-3,
    schedule: Annotated[
        str,
        typer.Option(help=f"{', '.join(SCHEDULES)}, over all updates, perhaps with settings."),
    ] = "constant",
    epochs: Annotated[int, typer.Option(min=1, help="How often each example is seen.")] = 1,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Examples a step; by default the model's, else 32.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--train", help="What to train: a weight or a pattern; repeatable."),
    ] = None,
    freeze: Annotated[
        list[str] | None, typer.Option(help="What to leave alone of it; repeatable.")
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Data that are only looked at, after each epoch.")
    ] = None,
    metric: Annotated[
        str, typer.Option(help="What validation goes by: loss or accuracy.")
    ] = "loss",
    patience: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many validations without a better one.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="numpy, numba, onnxruntime, openvino or another.")
    ] = "onnxruntime",
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="The folder for checkpoints; by default beside OUTPUT, of its name."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint, to the same numbers.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of the examples.")] = 0,
    parallel: Annotated[
        str | None,
        typer.Option(
            help="Train in several processes: mpi under mpiexec, torch under torchrun, nccl."
        ),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Append records as lines of JSON.", callback=require_file)
    ] = None,
    tensorboard: Annotated[
        Path | None, typer.Option(help="A folder for TensorBoard's files.")
    ] = None,
    curve: Annotated[
        Path | None, typer.Option(help="Draw the losses: .png or .svg.", callback=require_file)
    ] = None,
    shape: Shapes = None,
) -> None:
    """Train a model on data; write it again with other weights, all else as it was.

    With --validation the weights of the best epoch are written, else those of the last step.
    Settings are written as in Python: --loss 'cross_entropy(label_smoothing=0.1)', --schedule
    'cosine(warm_up=100)', --optimizer 'clip_by_global_norm(sgd(momentum=0.9), 1.0)'.

    Example: onnxgrad train model.onnx --data train.npz --epochs 5 -o tuned.onnx
    """
    group = find_group(parallel)
    graph, arrays = read(model, shape), read_arrays(data)
    if STATE_KEY in graph.metadata:
        raise GraphError(f"{model} is a training step already; train the model that it is of")
    for path in (output, log, curve):
        require_place(path, model)
    goal = find_goal(with_heads(graph, heads, seed), loss, of, label)
    validated = goal.metric(metric)
    folder = checkpoints or output.with_suffix(".checkpoints")
    steps = count_steps(goal, arrays, batch_size, epochs)
    rule = make_optimizer(optimizer, schedule, learning_rate, steps)
    reports = [] if log is None or group.rank > 0 else [log_to(log)]
    if tensorboard is not None and group.rank == 0:
        reports.append(tensorboard_to(tensorboard))
    draw = None if curve is None or group.rank > 0 else curve_to(curve)
    lines = Lines(folder, epochs, validation is not None)
    with showing_progress(lines) as show:

        def report(record: Record) -> None:
            for tell in (show, *reports):
                tell(record)

        fitted = fit(
            goal.graph,
            arrays,
            goal.loss,
            rule,
            epochs=epochs,
            batch_size=batch_size,
            parameters=only or None,
            frozen=freeze or None,
            validation=validation,
            metric=validated,
            patience=patience,
            backend=backend,
            checkpoints=folder,
            resume=resume,
            seed=seed,
            parallel=group,
            report=report,
        )
    if group.rank > 0:
        return  # the first process writes
    changed = save_weights(fitted.graph, model, output)
    if draw is not None:
        draw(fitted.history)
    statistics = {v.name for pair in statistics_of(fitted.graph).values() for v in pair}
    kept = [name for name in changed if name in statistics]
    beside = f", and {counted(len(kept), 'running statistic')} kept," if kept else ""
    trained = counted(len(changed) - len(kept), "weight")
    print(f"{output}: {trained} trained{beside} in {counted(fitted.steps, 'step')}")


def with_heads(graph: Graph, given: list[str] | None, seed: int) -> Graph:
    """Give the graph with a fresh last layer for each `output=classes`.

    Raises:
        GraphError: one says something else, an output comes twice, or it has no last layer.
    """
    for output, classes in read_pairs("--new-head", "output=classes", given).items():
        if not (classes.isascii() and classes.isdecimal()):
            raise GraphError(f"--new-head {output}={classes}: '{classes}' is no number of classes")
        graph = new_head(graph, output, int(classes), seed=seed)
    return graph


def find_goal(graph: Graph, loss: str, of: str | None, label: str | None) -> Goal:
    """Give the graph with the loss that an option names.

    Raises:
        GraphError: there is no such loss, or it does not fit the model.
    """
    if any(v.name == loss for v in graph.outputs):
        if of or label:
            raise GraphError(
                f"'{loss}' is an output of the model, so --of and --label are not for it"
            )
        return Goal(graph, loss)
    if loss.isidentifier() and loss.lower() not in LOSSES:
        outputs = ", ".join(v.name for v in graph.outputs)
        raise GraphError(
            f"--loss has no '{loss}', and the model no such output, but {outputs}"
            f"{suggestion(loss, LOSSES)}"
        )
    named, settings = Spelling("--loss", LOSSES, skipped=4).read(loss)
    of = of or only_float_output(graph, "--of")
    _, _, labels, *_ = signature(named).parameters.values()  # (graph, of, labels, name, settings …)
    label = label or labels.default
    name = "loss" if all(v.name != "loss" for v in graph.values()) else "onnxgrad.loss"
    return Goal(named(graph, of, label, name, **settings), name, of, label)


def make_optimizer(optimizer: str, schedule: str, rate: float, steps: int) -> optim.Optimizer:
    """Give the optimizer that the options name, with a schedule over all its updates.

    Raises:
        GraphError: there is no such optimizer, schedule or setting.
    """

    def made(learning_rate: Any) -> Any:
        defaults = {"learning_rate": learning_rate}
        return Spelling("--optimizer", OPTIMIZERS, defaults=defaults).make(optimizer)

    updates, inner = steps, made(rate)
    while isinstance(inner, Wrapper):
        if isinstance(inner, optim.accumulate):  # what is inside counts updates, not steps
            updates = max(1, updates // inner.steps)
        inner = inner.optimizer
    rates = {"peak": rate, "rate": rate, "steps": updates}
    found: optim.Optimizer = made(Spelling("--schedule", SCHEDULES, defaults=rates).make(schedule))
    return found


def count_steps(
    goal: Goal, data: Mapping[str, np.ndarray], batch_size: int | None, epochs: int
) -> int:
    """Count the steps of a whole run, at whose end schedules end.

    Raises:
        GraphError: the data do not fit the model.
    """
    needed = goal.graph.upstream([goal.graph.find(goal.loss)])
    inputs = [v for v in goal.graph.inputs if v in needed]
    each = open_data(data, inputs, batch_size, Order()).per_epoch
    return epochs * (each or 1)
