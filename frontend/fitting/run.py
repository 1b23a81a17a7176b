"""A run on its way: step after step, validations, checkpoints, and what to do when one fails."""

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from onnxgrad.backends.base import Stepper
from onnxgrad.compiler.errors import GraphError, OnnxgradError, locate
from onnxgrad.compiler.graph.ir import Graph

from ..losses import check_labels
from ..parallel import Group
from .checkpoint import (
    Arrays,
    Checkpoint,
    Progress,
    read_checkpoint,
    require_same_run,
    share_checkpoint,
    write_checkpoint,
)
from .data import Data, Feeds, count
from .diagnosis import first_not_finite, is_finite
from .evaluation import Evaluation
from .interruption import StopRequest
from .reports import Record

RATE = "learning_rate"
"""The output that tells the rate of a schedule."""

LAST, BEST = "last.safetensors", "best.safetensors"

SECONDS_BETWEEN_CHECKPOINTS = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    Args:
        step: the training step.
        loss: its output that is watched.
        data: what it learns from.
        epochs: how often it sees them.
        stepper: gives what takes the steps, from a state.
        settings: what a run that goes on must have in common with the one that stopped.
        folder: where checkpoints go, None for nowhere.
        evaluation: is asked after each epoch, None for no validation.
        patience: how many validations in turn may be worse than the best.
        report: is called with each record.
        group: the processes that share the run; the first of them writes and reports.
    """

    step: Graph
    loss: str
    data: Data
    epochs: int
    stepper: Callable[[Arrays], Stepper]
    settings: dict[str, Any]
    folder: Path | None
    evaluation: Evaluation | None
    patience: int | None
    report: Callable[[Record], None]
    group: Group


class Run:
    """A run between its first step and its last."""

    def __init__(self, plan: Plan, start: Arrays, resume: bool) -> None:
        """Begin, or go on from the last checkpoint where there is one.

        Raises:
            ModelFileError: the checkpoint is of another run, or the first cannot be written.
        """
        self.history: list[Record] = []
        each = plan.data.per_epoch
        self._steps_in_all = None if each is None else each * plan.epochs
        self.best: Arrays | None = None
        self._plan = plan
        kept = begun = Checkpoint(Progress(), dict(start), plan.settings)
        # Path.exists raises where a name is too long; os.path leaves that to whoever writes
        if plan.folder is not None and plan.group.rank == 0 and os.path.exists(plan.folder / LAST):
            kept = self._found(begun, resume)
        found = np.array([kept is not begun])
        plan.group.broadcast(found)
        self._share(kept)
        if kept.progress.best is not None:
            self.best = self._best(start)
        self.progress = kept.progress
        self._stepper = plan.stepper(kept.state)
        self.progress.ended = self._is_over()
        self._keep(kept.state)
        if resume:
            self._report("resumed" if found[0] else "started", ended=self.progress.ended)

    def _found(self, start: Checkpoint, resume: bool) -> Checkpoint:
        """Give where to begin: at the checkpoint that lies in the folder, or at the start."""
        plan = self._plan
        assert plan.folder is not None
        path = plan.folder / LAST
        found = read_checkpoint(path)
        if resume:
            require_same_run(path, found, plan.settings, start.state)
            return found
        if found.progress.step and not found.progress.ended:
            raise GraphError(
                f"{path} holds a run that has not ended, after step {found.progress.step}; "
                "resume=True goes on, else remove it or give another folder"
            )
        return start

    def _best(self, start: Arrays) -> Arrays:
        """Give the best state so far, which lies in the folder of the first process."""
        folder = self._plan.folder
        if folder is not None and self._plan.group.rank == 0:
            best = read_checkpoint(folder / BEST)
        else:
            best = Checkpoint(Progress(), dict(start))
        self._share(best)
        return best.state

    def _share(self, checkpoint: Checkpoint) -> None:
        if self._plan.group.size > 1:
            share_checkpoint(checkpoint, self._plan.group)

    def state(self) -> Arrays:
        """Give a copy of what the next step reads."""
        return self._stepper.state()

    def go(self, request: StopRequest) -> None:
        """Run to the end, until validations no longer improve, or until a stop is requested.

        Raises:
            GraphError: a batch does not fit, or something is no longer finite.
            ModelFileError: a checkpoint cannot be written.
        """
        while not self._is_over():
            for _ in self._steps():
                due = time.monotonic() - self._kept_at > self._pause
                stop, due = self._agreed(request.signal is not None, due)
                if stop or due:
                    self._keep(self.state())
                if stop:
                    self._report("stopped")
                    return
            state = self.state()
            self._validate(state)
            self.progress.epoch, self.progress.batch = self.progress.epoch + 1, 0
            self.progress.ended = self._is_over()
            self._keep(state)

    def _agreed(self, stop: bool, due: bool) -> tuple[bool, bool]:
        """Give what all processes do: stop if one is to, write when the first is due to."""
        if self._plan.group.size == 1:
            return stop, due
        flags = np.array([stop, due and self._plan.group.rank == 0], np.int64)
        self._plan.group.all_reduce(flags)
        return bool(flags[0]), bool(flags[1])

    def _steps(self) -> Iterator[None]:
        """Run the steps that an epoch has left."""
        at = self.progress
        began, first = time.perf_counter(), at.step
        for feeds in self._plan.data.epoch(at.epoch, at.batch):
            results = self._step(self._stepper.run, feeds, at)
            loss = results[self._plan.loss]
            if not math.isfinite(loss):
                self._stop_at_what_is_not_finite(f"the loss is {loss} in step {at.step}")
            taken = (time.perf_counter() - began) / (at.step - first)
            speed = count(feeds) * self._plan.group.size / max(taken, 1e-9)
            known = {"loss": loss, "examples_per_second": speed, "of_steps": self._steps_in_all}
            if RATE in results:
                known["learning_rate"] = results[RATE]
            self._report("step", **known)
            yield
        if at.batch == 0:
            raise GraphError(
                f"the data yield no batches in epoch {at.epoch + 1}; hand over something that can "
                "be iterated in each epoch, such as a list"
            )

    def _step(self, run: Callable[[Feeds], Feeds], feeds: Feeds, at: Progress) -> dict[str, float]:
        """Take a step; give the numbers among its results, the loss and the rate of a schedule."""
        try:
            check_labels(self._plan.step, feeds)
            results = run(feeds)
        except OnnxgradError as error:
            locate(error, f"epoch {at.epoch + 1}, batch {at.batch + 1}")
            raise
        at.batch, at.step = at.batch + 1, at.step + 1
        return {n: float(np.asarray(a).reshape(())) for n, a in results.items() if np.size(a) == 1}

    def _validate(self, state: Arrays) -> None:
        if self._plan.evaluation is None:
            return
        loss, metric = self._plan.evaluation(state)
        score, at = (loss if metric is None else -metric), self.progress
        at.worse += 1
        if at.best is None or score < at.best:
            at.best, at.best_epoch, at.worse, self.best = score, at.epoch, 0, state
            self._write(BEST, state)
        known = {"loss": loss} if metric is None else {"loss": loss, "metric": metric}
        self._report("validation", **known, best=at.worse == 0)

    def _is_over(self) -> bool:
        patience, at = self._plan.patience, self.progress
        return at.epoch >= self._plan.epochs or patience is not None and at.worse >= patience

    def _keep(self, state: Arrays) -> None:
        """Remember a state to go on from, in a file if the run has a folder."""
        began = time.monotonic()
        if not all(map(is_finite, state.values())):
            self._stop_at_what_is_not_finite(
                f"the state is not finite after step {self.progress.step}"
            )
        if self._plan.folder is None:
            self._kept = Checkpoint(replace(self.progress), state, self._plan.settings)
        self._write(LAST, state)
        self._kept_at = time.monotonic()
        # a state that takes long to write is written less often
        self._pause = max(SECONDS_BETWEEN_CHECKPOINTS, 20 * (self._kept_at - began))

    def _write(self, name: str, state: Arrays) -> None:
        if self._plan.folder is not None and self._plan.group.rank == 0:
            made = Checkpoint(self.progress, state, self._plan.settings)
            write_checkpoint(self._plan.folder / name, made)

    def _report(self, event: str, **numbers: Any) -> None:
        at = self.progress
        record = {"event": event, "epoch": at.epoch + 1, "step": at.step, **numbers}
        self.history.append(record)
        if self._plan.group.rank == 0:
            self._plan.report(record)

    def _stop_at_what_is_not_finite(self, what: str) -> None:
        """Raise an error that names the value where it began."""
        folder = self._plan.folder
        kept_in = f"; {folder / LAST} holds a finite state" if folder is not None else ""
        where = "run by one process it would be found where it begins"
        if self._plan.group.size == 1:
            where = self._beginning(read_checkpoint(folder / LAST) if folder else self._kept)
        raise GraphError(f"{what}; {where}{kept_in}")

    def _beginning(self, kept: Checkpoint) -> str:
        """Run again from what was kept, to where something is first not finite."""
        at, stepper = kept.progress, self._plan.stepper(kept.state)
        while at.step < self.progress.step:
            for feeds in self._plan.data.epoch(at.epoch, at.batch):
                before = stepper.state()
                loss = self._step(stepper.run, feeds, at)[self._plan.loss]
                if not math.isfinite(loss) or not all(map(is_finite, stepper.state().values())):
                    found = first_not_finite(self._plan.step, before, feeds)
                    return f"it begins in step {at.step}: {found or 'only on this backend'}"
            at.epoch, at.batch = at.epoch + 1, 0
        return "the run again, from its last checkpoint, did not show it"
