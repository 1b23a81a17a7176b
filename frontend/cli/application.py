"""The application that all commands join: their shared arguments, and errors in a line or two."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from traceback import extract_tb
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar, cast

import typer
from typer.core import TyperGroup

from onnxgrad.compiler.errors import GraphError, ModelFileError, OnnxgradError

from .. import __version__
from .messages import spelled

UsageError = cast(type[Exception], typer.BadParameter.__base__)
"""What is wrong about arguments: click's, which newer releases of typer hold but do not export."""


class OneLineGroup(TyperGroup):
    """Commands whose wrong arguments are told in one line, as every other error of theirs."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command; what is wrong about its arguments ends with status 2."""
        run = partial(
            super().main, args, prog_name, complete_var, False, windows_expand_args, **extra
        )
        if not standalone_mode:
            return run()
        try:
            status = run()
        except UsageError as error:
            print(f"onnxgrad: {_told(error)}", file=sys.stderr)
            sys.exit(2)
        except typer.Abort:
            sys.exit(128 + signal.SIGINT)
        sys.exit(status or 0)


def _told(error: Any) -> str:
    """Say what is wrong about arguments, in one line with where to read what is right."""
    message = " ".join(error.format_message().split()).rstrip(".")
    for problem in getattr(error.__cause__, "errors", list)():  # newer releases do not say what
        message = message.replace("Input", f"'{problem['input']}'")
        message = message.partition(", unable to parse")[0]
    path = error.ctx.command_path if error.ctx else "onnxgrad"
    return f"{message[:1].lower()}{message[1:]} (see {path} --help)"


app = typer.Typer(
    name="onnxgrad",
    cls=OneLineGroup,
    invoke_without_command=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

P = ParamSpec("P")
R = TypeVar("R", bound=Path | None)


def require_file(path: R) -> R:
    """Refuse "-": models are binary, and a file of that name is nobody's wish.

    Raises:
        typer.BadParameter: what typer tells of arguments.
    """
    if path == Path("-"):
        raise typer.BadParameter("'-' is not a file, and nothing is written to standard output")
    return path


def require_place(output: Path | None, model: Path) -> None:
    """Refuse, before anything is computed, what cannot be written or is the model that was read.

    Raises:
        GraphError: the output is the model.
        ModelFileError: the output is a folder, or in none.
    """
    if output is None:
        return
    if not os.path.isdir(output.parent):  # Path's raises where names are too long
        raise ModelFileError(f"cannot write {output}: there is no folder {output.parent}")
    if os.path.isdir(output):
        raise ModelFileError(f"cannot write {output}: it is a folder")
    if os.path.exists(output) and output.samefile(model):
        raise GraphError(f"{output} is the model itself; give what is written another name")


Model = Annotated[Path, typer.Argument(help="An ONNX file.", metavar="MODEL")]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="The file to write.", callback=require_file)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"onnxgrad {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Gradients, training steps and more of any ONNX graph, as plain ONNX."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


def command(name: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Register a command whose errors are printed in one or two lines, with exit status 2."""

    def register(function: Callable[P, None]) -> Callable[P, None]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            try:
                with warnings.catch_warnings():
                    warnings.showwarning = partial(_print_warning, name)
                    function(*args, **kwargs)
                print(end="", flush=True)
            except (BrokenPipeError, typer.Exit):
                raise  # whoever reads may have read enough
            except KeyboardInterrupt:
                raise typer.Exit(128 + signal.SIGINT) from None
            except MemoryError:
                _fail(OnnxgradError("out of memory"), name)
            except (OnnxgradError, OSError) as error:
                _fail(error, name)
            except Exception as error:
                _fail(_as_defect(error), name)

        return app.command(name)(call)

    return register


def _print_warning(name: str, message: Any, *_: Any, **__: Any) -> None:
    print(f"onnxgrad: warning: {told(str(message), name)}", file=sys.stderr)


def _fail(error: Exception, name: str) -> NoReturn:
    """Print an error and end with status 2; a note says where one that is not ours happened."""
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    print(f"onnxgrad: {told(message, name)}", file=sys.stderr)
    notes = getattr(error, "__notes__", [])
    if notes:
        print(f"  {told('; '.join(notes), name)}", file=sys.stderr)
    raise typer.Exit(2)


def told(message: str, name: str) -> str:
    """Give a message as a command tells it, in one line."""
    parameters = typer.main.get_command(app).commands[name].params  # type: ignore[attr-defined]  # it is a group
    return spelled(message, {option for p in parameters for option in p.opts})


def _as_defect(error: Exception) -> OnnxgradError:
    """Tell of an error that should not have happened, in one line all the same."""
    last = extract_tb(error.__traceback__)[-1]
    return OnnxgradError(
        f"unexpected {type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {error}; "
        "this is a defect of onnxgrad, please report it with the command"
    )
