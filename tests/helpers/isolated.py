"""Judges cases in a process per core; what ends or stalls its process is a verdict, too."""

import os
import sys
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from queue import SimpleQueue
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

Case = tuple[Any, ...]


class Outcome(Protocol):
    """What became of one judgement, or that it is pending."""

    @property
    def is_pending(self) -> bool:
        """Tell whether the judgement has begun only; if the process ends now, it ended it."""
        ...

    @property
    def key(self) -> Hashable:
        """Give what was judged, without what became of it."""
        ...

    def killed(self, detail: str) -> Self:
        """Give this outcome as that of a process that ended or stalled."""
        ...


T = TypeVar("T", bound=Outcome)

Judge = Callable[..., Iterator[T]]
"""`judge(*case, done)` yields outcomes, a pending one before each; keys in `done` are left out."""


def judge_all(judge: Judge[T], cases: Sequence[Case], seconds: int) -> list[T]:
    """Give the outcomes of all cases, in their order; `seconds` is the most that one may take."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # the processes read it when they start
    idle: SimpleQueue[_Worker[T]] = SimpleQueue()
    count = os.cpu_count() or 1
    for _ in range(count):
        idle.put(_Worker(judge, seconds))

    def run(case: Case) -> list[T]:
        worker = idle.get()
        try:
            return worker.run(case)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(count) as threads:
        found = list(threads.map(run, cases))
    for _ in range(count):
        idle.get().stop()
    return [outcome for outcomes in found for outcome in outcomes]


class _Worker(Generic[T]):
    """A process that judges one case at a time, started anew where a case ended it."""

    def __init__(self, judge: Judge[T], seconds: int) -> None:
        self.judge = judge
        self.seconds = seconds
        self.start()

    def start(self) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(self.judge, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def stop(self) -> None:
        self.process.kill()
        self.process.join()

    def run(self, case: Case) -> list[T]:
        """Give the outcomes of a case; after a crash the rest of them come from a new process.

        A process that ends between two judgements was ended from outside: that happens once.
        """
        outcomes: list[T] = []
        ended_before = False
        while True:
            pending: T | None = None
            self.connection.send((*case, frozenset(o.key for o in outcomes)))
            try:
                while (outcome := self.receive(self.seconds if pending else None)) is not None:
                    pending = outcome if outcome.is_pending else None
                    if not pending:
                        outcomes.append(outcome)
                return outcomes
            except (EOFError, OSError) as error:
                self.stop()
                detail = str(error) or f"the process ended with {self.process.exitcode}"
                self.start()
                if pending:
                    outcomes.append(pending.killed(detail))
                elif ended_before:
                    raise RuntimeError(f"{case[0]}: {detail}") from error
                ended_before = not pending

    def receive(self, seconds: int | None) -> T | None:
        if not self.connection.poll(seconds):
            raise TimeoutError(f"took more than {self.seconds} s")
        received: T | None = self.connection.recv()
        return received


def _serve(judge: Judge[Any], connection: Any) -> None:
    """Answer each case by its outcomes and None."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):  # runtimes and tools print what they then raise, too
        os.dup2(silence, stream.fileno())
    while True:
        case = connection.recv()
        for outcome in judge(*case):
            connection.send(outcome)
        connection.send(None)
