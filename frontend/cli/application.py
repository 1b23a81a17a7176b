"""What all commands share: the application, errors in a line or two, tables, JSON, progress."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from traceback import extract_tb
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from onnxgrad.backends.checking.report import Report
from onnxgrad.compiler.errors import OnnxgradError
from onnxgrad.compiler.graph.ir import Graph

from ..files import load

app = typer.Typer(
    name="onnxgrad",
    help="Gradients, training steps and more of any ONNX graph, as plain ONNX.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Model = Annotated[Path, typer.Argument(help="An ONNX file.", metavar="MODEL")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

_progress = Console(stderr=True)

P = ParamSpec("P")
R = TypeVar("R")


def command(name: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Register a command whose errors are printed in one or two lines, with exit status 2."""

    def register(function: Callable[P, None]) -> Callable[P, None]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                function(*args, **kwargs)
            except (OnnxgradError, OSError) as error:
                fail(error)
            except typer.Exit:
                raise
            except Exception as error:
                fail(_as_defect(error))

        return app.command(name)(call)

    return register


def fail(error: Exception) -> None:
    """Print an error and end with status 2; notes say where it happened."""
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    print(f"onnxgrad: {' '.join(message.split())}", file=sys.stderr)
    notes = getattr(error, "__notes__", [])
    if notes:
        print(f"  {'; '.join(' '.join(n.split()) for n in notes)}", file=sys.stderr)
    raise typer.Exit(2)


def _as_defect(error: Exception) -> OnnxgradError:
    """Tell of an error that should not have happened, in one line all the same."""
    last = extract_tb(error.__traceback__)[-1]
    return OnnxgradError(
        f"unexpected {type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {error}; "
        "this is a defect of onnxgrad, please report it with the command"
    )


def read(path: Path) -> Graph:
    """Load a model with a sign of life on the terminal."""
    with busy(f"reading {path.name}"):
        return load(path)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Show that something may take a while; on a terminal only."""
    if not _progress.is_terminal:
        yield
        return
    with _progress.status(f"{what} …"):
        yield


def print_json(data: Any) -> None:
    """Print data as JSON."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table as wide as its contents where nothing limits it."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    _console().print(table)


def print_report(report: Report) -> None:
    """Print what a check found."""
    _console().print(report)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=200)


def listed(values: list[str], most: int = 8) -> str:
    """Join names; of many, the first ones and how many more."""
    shown = ", ".join(values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"
