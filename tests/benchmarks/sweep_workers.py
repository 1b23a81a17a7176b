"""Runs a sweep's cases in a process per core; what ends or stalls its process has failed."""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from queue import SimpleQueue
from typing import Any

import numpy as np
from sweep_cases import Arrays
from sweep_report import PENDING, Key, Outcome

Case = tuple[str, Any, Arrays]
Sweep = Callable[[str, Any, Arrays, frozenset[Key]], Iterator[Outcome]]
SECONDS = 300
"""How long a tool may take; the differences may take longer."""


def sweep_all(sweep: Sweep, cases: list[Case]) -> list[Outcome]:
    """Give the outcomes of all cases, in their order."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # the processes read it when they start
    idle: SimpleQueue[_Worker] = SimpleQueue()
    count = os.cpu_count() or 1
    for _ in range(count):
        idle.put(_Worker(sweep))

    def run(case: Case) -> list[Outcome]:
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


class _Worker:
    """A process that sweeps one case at a time, started anew where a case ended it."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.start()

    def start(self) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(self.sweep, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def stop(self) -> None:
        self.process.kill()
        self.process.join()

    def run(self, case: Case) -> list[Outcome]:
        """Give the outcomes of a case; after a crash the rest of them come from a new process."""
        outcomes: list[Outcome] = []
        while True:
            pending: Outcome | None = None
            self.connection.send((*case, frozenset(o.key for o in outcomes)))
            try:
                while (outcome := self.receive(SECONDS if pending else None)) is not None:
                    pending = outcome if outcome.verdict == PENDING else None
                    if not pending:
                        outcomes.append(outcome)
                return outcomes
            except (EOFError, OSError) as error:
                self.stop()
                detail = str(error) or f"the process ended with {self.process.exitcode}"
                self.start()
                if not pending:
                    raise RuntimeError(f"{case[0]}: {detail}") from error
                outcomes.append(pending.judged("failed", detail))

    def receive(self, seconds: int | None) -> Outcome | None:
        if not self.connection.poll(seconds):
            raise TimeoutError(f"took more than {SECONDS} s")
        received: Outcome | None = self.connection.recv()
        return received


def _serve(sweep: Sweep, connection: Any) -> None:
    """Answer each case by its outcomes and None."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):  # runtimes and tools print what they then raise, too
        os.dup2(silence, stream.fileno())
    while True:
        name, model, feeds, done = connection.recv()
        for outcome in sweep(name, model, feeds, done):
            connection.send(outcome)
        connection.send(None)
