"""Judge programs in a process of their own: what ends it or stalls it gets a verdict, too."""

import os
import resource
import sys
from multiprocessing import get_context
from typing import Any

from .judge import draw, judge
from .laws.backends import NOT_OURS
from .program import Program
from .verdict import KILLED, Verdict

SECONDS = 120
"""How long one law may take with one program."""

MEMORY = 8 * 2**30
"""How many bytes of addresses a worker may have."""


class Worker:
    """A process that judges one program at a time, started anew where one ended it."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    def judge(self, letter: str, given: int | Program) -> Verdict:
        """Give the verdict of a law on a program, or on that of a seed.

        Where onnxruntime ended the process by itself, with a file that is not ours, it is left out
        in a second attempt.
        """
        verdict, stage = self._judge(letter, given, True)
        if verdict.kind == KILLED and NOT_OURS in stage:
            verdict, _ = self._judge(letter, given, False)
        return verdict

    def _judge(self, letter: str, given: int | Program, stock: bool) -> tuple[Verdict, str]:
        stage = ""
        try:
            self._connection.send((letter, given, stock))
            while True:
                if not self._connection.poll(SECONDS):
                    raise TimeoutError(f"took more than {SECONDS} s")
                found = self._connection.recv()
                if isinstance(found, Verdict):
                    return found, stage
                stage = found
        except (EOFError, OSError) as error:
            self.stop()
            how = str(error) or f"the process ended with {self._process.exitcode}"
            self._start()
            seed = given if isinstance(given, int) else given.seed
            return Verdict(letter, seed, KILLED, f"{stage}: {how}"), stage


def _serve(connection: Any) -> None:
    """Answer each law and program, or its seed, by a verdict; before it by stages."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):  # runtimes print what they then raise, too
        os.dup2(silence, stream.fileno())
    while True:
        try:
            letter, given, stock = connection.recv()
        except EOFError:
            return
        program = draw(letter, given) if isinstance(given, int) else given
        connection.send(judge(letter, program, connection.send, stock))
