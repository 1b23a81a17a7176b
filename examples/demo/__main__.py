"""Run the demo from the network to the files and print what came out.

Run: make demo, or PYTHONPATH=examples python -m demo [FOLDER]
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import onnxgrad as og

from .curves import plot
from .network import Digits, batches, build_network, load_digits, steps_per_epoch
from .replay import replay

OPTIMIZERS: dict[str, og.optim.Optimizer] = {
    "sgd": og.optim.SGD(0.05, momentum=0.9),
    "adam": og.optim.Adam(2e-3),
}


@dataclass(frozen=True, slots=True)
class Training:
    """What training with one optimizer gave."""

    step: og.Graph
    model: og.Graph
    losses: list[float]
    accuracy: float
    seconds: float


def main(out: Path = Path("out/demo"), epochs: int = 5) -> float:
    """Train, export, replay and compare; give the lower accuracy on held-out digits.

    Args:
        out: the folder for models, plot and drawing.
        epochs: how often each optimizer sees the training digits.
    """
    out.mkdir(parents=True, exist_ok=True)
    console, digits, network = Console(), load_digits(), build_network()
    trained = {name: train(network, o, name, digits, epochs) for name, o in OPTIMIZERS.items()}
    curves = {}
    for name, training in trained.items():
        step, start = out / f"{name}_step.onnx", out / f"{name}_start.onnx"
        og.save(training.step, step)
        og.save(og.start_graph(training.step), start)
        og.save(training.model, out / f"{name}_model.onnx")
        curves[name] = (training.losses, replay(step, start, batches(digits, epochs)))
    plot(curves, out / "losses.png")
    og.draw(trained["sgd"].step, out / "sgd_step.svg")
    table = Table(title="trained on NumPy, replayed from the files in onnxruntime")
    for column in ("optimizer", "steps", "time", "held-out digits right", "largest difference"):
        table.add_column(column, justify="right")
    for name, training in trained.items():
        difference = np.abs(np.subtract(*curves[name])).max()
        row = (str(len(training.losses)), f"{training.seconds:.1f} s", f"{training.accuracy:.2%}")
        table.add_row(name, *row, f"{difference:.1e}")
    console.print(table)
    console.print(og.validate(trained["sgd"].step, next(batches(digits, 1))))
    console.print(f"written to {out}/: {', '.join(sorted(p.name for p in out.iterdir()))}")
    return min(t.accuracy for t in trained.values())


def train(
    network: og.Graph, optimizer: og.optim.Optimizer, name: str, digits: Digits, epochs: int
) -> Training:
    """Train the network on the NumPy backend."""
    step = og.train_step(network, "loss", optimizer)
    stepper = og.compile(step).stepper()
    start, losses = time.perf_counter(), []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as progress:
        total = epochs * steps_per_epoch(digits)
        task = progress.add_task(f"training with {name}", total=total)
        for batch in batches(digits, epochs):
            losses.append(float(stepper.run(batch)["loss"]))
            progress.update(task, advance=1, description=f"{name}: loss {losses[-1]:.4f}")
    seconds = time.perf_counter() - start
    model = og.with_parameters(network, stepper.state())
    logits = og.compile(model)(image=digits.test_images, label=digits.test_labels)["logits"]
    accuracy = float(np.mean(logits.argmax(axis=1) == digits.test_labels))
    return Training(step, model, losses, accuracy, seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("out/demo"))
