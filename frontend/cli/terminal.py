"""What commands print: tables, JSON, reports, and signs of life while something takes its time."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from rich.console import Console
from rich.table import Table
from rich.text import Text

from onnxgrad.backends.checking.report import Report
from onnxgrad.backends.tuning import Tuning
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.wording import counted

from ..costing import CostReport
from ..files import load, save
from .shapes import read_shapes

_progress = Console(stderr=True)


def read(path: Path, shapes: list[str] | None = None) -> Graph:
    """Load a model with a sign of life on the terminal; `shapes` as --shape gives them.

    Raises:
        OnnxgradError: as `load` does.
    """
    pinned = read_shapes(shapes)
    with busy(f"reading {path.name}"):
        return load(path, pinned)


def saved(graph: Graph, output: Path, opset: int, runtime: str | None) -> str:
    """Save a graph with a sign of life; tell the file and how many operators it holds.

    Raises:
        OnnxgradError: as `save` does.
    """
    with busy(f"writing {output.name}"):
        save(graph, output, opset, runtime=runtime)
        nodes = onnx.load(output, load_external_data=False).graph.node
    return f"{output}: {counted(len(nodes), 'operator')}"


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that something may take a while; on a terminal only."""
    if not _progress.is_terminal:
        yield
        return
    with _progress.status(f"{what} …"):
        yield


def print_json(data: Any) -> None:
    """Print data as JSON, which has no NaN and no infinity: null."""
    print(json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table as wide as its contents where nothing limits it."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    _console().print(table)


def print_report(report: Report | CostReport | Tuning) -> None:
    """Print what a check, a count or a timing found."""
    _console().print(report)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=200)


def listed(values: list[str], most: int = 8) -> str:
    """Join names; of many, the first ones and how many more."""
    shown = ", ".join(values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
