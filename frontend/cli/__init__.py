"""The command `onnxgrad`: each command reads arguments, calls the public face and prints."""

import io
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

from . import execute, models, operators, train, tuning
from .application import app

__all__ = ["app", "execute", "main", "models", "operators", "train", "tuning"]


def main() -> None:
    """Run the command line.

    A signal to end lets what is half written vanish; what a terminal has no letter for is escaped.
    A pipe that nobody reads any more is such a signal, for which Python and rich would say 1.
    """
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, _end_without_readers)
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    finally:
        with suppress(BrokenPipeError):  # the signal ends it
            print(end="", flush=True)  # nothing, where the output is closed


def _end(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _end_without_readers(number: int, frame: object) -> NoReturn:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())  # Python writes what is left when it ends
    _end(number, frame)
