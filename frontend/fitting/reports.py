"""What a run leaves to look at: a log as JSON lines, and a picture of its losses."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from onnxgrad.compiler.errors import BackendUnavailableError, GraphError, ModelFileError

from ..files import replacing

Record = dict[str, Any]
"""What a run reports: its "event" and numbers by name."""


def log_to(path: Path) -> Callable[[Record], None]:
    """Give what appends records to a file, each as a line of JSON; infinity and NaN are null.

    Raises:
        ModelFileError: the file cannot be written.
    """

    def write(text: str) -> None:
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ModelFileError(f"cannot write {path}: {error.strerror or error}") from error

    def append(record: Record) -> None:
        line = json.dumps({key: _finite(value) for key, value in record.items()}, allow_nan=False)
        write(line + "\n")

    write("")  # what cannot be written is told before anything runs
    return append


def tensorboard_to(folder: Path) -> Callable[[Record], None]:
    """Give what writes records as TensorBoard's files: "step/loss", "validation/metric" and so on.

    Raises:
        BackendUnavailableError: tensorboardX is missing.
        ModelFileError: the folder cannot be written.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise BackendUnavailableError(
            "TensorBoard's files need tensorboardX: pip install 'onnxgrad[tensorboard]'"
        ) from None
    try:
        writer = SummaryWriter(str(folder))
    except OSError as error:
        raise ModelFileError(f"cannot write into {folder}: {error.strerror or error}") from error

    def write(record: Record) -> None:
        for name, value in record.items():
            if isinstance(value, float):
                writer.add_scalar(f"{record['event']}/{name}", value, record["step"])
        if record["event"] != "step":
            writer.flush()

    return write


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def curve_to(path: Path) -> Callable[[Sequence[Record]], None]:
    """Give what draws the loss by step, with that of the validations, as PNG or SVG.

    Raises:
        GraphError: the path ends neither in .png nor in .svg.
        BackendUnavailableError: matplotlib is missing.
    """
    if path.suffix not in (".png", ".svg"):
        raise GraphError(f"a curve is a .png or an .svg, not {path}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise BackendUnavailableError(
            "drawing losses needs matplotlib: pip install 'onnxgrad[plot]'"
        ) from None

    def draw(records: Sequence[Record]) -> None:
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        for event, label, marker in (("step", "training", ""), ("validation", "validation", "o")):
            chosen = [r for r in records if r["event"] == event]
            if chosen:
                steps, losses = [r["step"] for r in chosen], [r["loss"] for r in chosen]
                # single steps are noisy; behind them they are faint
                alpha, width = (0.4, 1) if event == "step" else (1.0, 2)
                axes.plot(steps, losses, marker=marker, label=label, alpha=alpha, linewidth=width)
        if any(r["loss"] > 0 for r in records if "loss" in r):
            axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.grid(True, which="major", alpha=0.3)
        if axes.lines:
            axes.legend(frameon=False)
        with replacing(path) as part:
            figure.savefig(part, format=path.suffix[1:], dpi=150)

    return draw
