"""How a training run is shown: a bar on a terminal, and lines that stay."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..fitting.reports import Record
from ..fitting.run import LAST


class Lines:
    """What is said of a run: how it begins, the losses of each epoch, and that it was stopped."""

    def __init__(self, folder: Path, epochs: int, validated: bool) -> None:
        """Begin; epochs that are validated get their line from the validation."""
        self._folder = folder
        self._epochs = epochs
        self._validated = validated
        self._losses: list[float] = []

    def of(self, record: Record) -> str | None:
        """Give the line that a record is worth, if any."""
        event, step = record["event"], record["step"]
        if event == "started":
            return f"no checkpoint at {self._folder / LAST}: starting from scratch"
        if event == "resumed" and record["ended"]:
            return (
                f"nothing is left to do: the run ended after step {step}; more --epochs go on, "
                "and more --patience where that ended it"
            )
        if event == "resumed":
            return f"going on after step {step}, in epoch {record['epoch']}"
        if event == "stopped":
            return f"stopped after step {step}; --resume goes on from {self._folder}"
        if event == "step":
            self._losses.append(record["loss"])
            each = (record["of_steps"] or 0) // self._epochs
            if self._validated or not each or step % each:
                return None
            return self._epoch(record, "")
        metric = f", {record['metric']:.2%} right" if "metric" in record else ""
        return self._epoch(record, f"validation loss {record['loss']:.4g}{metric}")

    def _epoch(self, record: Record, validation: str) -> str:
        """Tell the mean of the losses since the last such line, as far as this run took steps."""
        parts = [f"training loss {np.mean(self._losses):.4g}"] if self._losses else []
        self._losses = []
        return f"epoch {record['epoch']}: {', '.join([*parts, *filter(None, [validation])])}"


@contextmanager
def showing_progress(lines: Lines) -> Iterator[Callable[[Record], None]]:
    """Show a bar on a terminal, and what there is to say."""
    console = Console(stderr=True)
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4g}"),
        TextColumn("{task.fields[rate]}"),
        TextColumn("{task.fields[speed]:.4g} examples/s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, epoch=1, loss=float("nan"), rate="", speed=0.0)

        def tell(record: Record) -> None:
            if record["event"] == "step":
                fields = {"loss": record["loss"], "speed": record["examples_per_second"]}
                if "learning_rate" in record:
                    fields["rate"] = f"rate {record['learning_rate']:.3g}"
                bar.update(
                    task,
                    completed=record["step"],
                    total=record["of_steps"],
                    epoch=record["epoch"],
                    **fields,
                )
            if line := lines.of(record):
                console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield tell
