"""The command `onnxgrad`: each command reads arguments, calls the public face and prints."""

import io
import signal
import sys
from typing import NoReturn

from . import execute, models, operators, train, tuning
from .application import app

__all__ = ["app", "execute", "main", "models", "operators", "train", "tuning"]


def main() -> None:
    """Run the command line.

    A signal to end lets what is half written vanish; what a terminal has no letter for is escaped.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)
