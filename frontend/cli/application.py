"""The application that all commands join: their shared arguments, and errors in a line or two."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from traceback import extract_tb
from typing import Annotated, ParamSpec, TypeVar

import typer

from onnxgrad.compiler.errors import OnnxgradError

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
