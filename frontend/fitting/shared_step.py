"""A training step that several processes take together, each on its part of the batch."""

import os
from collections.abc import Mapping
from inspect import signature
from typing import Any

import numpy as np

from onnxgrad.backends import find_backend
from onnxgrad.compiler.emission.naming import after_step

from ..parallel import Group
from ..running import Compiled, compile
from ..training.sharing import SharedGraphs
from .checkpoint import Arrays
from .data import Feeds, count
from .sums import add_over_processes, run_on, widened, zeros_of


class SharedStep:
    """Sums over parts of the batch, and the update by them, the same in all processes.

    The step is that of the whole batch. Only BatchNormalization in training mode normalizes each
    part by itself; its running statistics are averaged by numbers of examples.
    """

    def __init__(self, graphs: SharedGraphs, backend: str, group: Group) -> None:
        """Compile what `share_step` gives."""
        options = _share_of_cores(backend, group)
        self.graphs = graphs
        self.group = group
        self.rounds = [compile(g, backend, **options) for g in graphs.rounds]
        self.backward = compile(graphs.backward, backend, **options)
        self.update = compile(graphs.update, backend, **options)

    def stepper(self, state: Arrays) -> "SharedStepper":
        """Give what takes the steps, from a state that is the same in all processes."""
        return SharedStepper(self, state)


class SharedStepper:
    """Takes steps and holds the state between them."""

    def __init__(self, step: SharedStep, state: Arrays) -> None:
        self._step = step
        self._state = dict(state)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Take a step on this process's part of a batch, which may be empty; give the loss.

        What the update tells besides, such as the rate of a schedule, comes with it.
        """
        step, state = self._step, self._state
        own = count(feeds)
        examples = np.array([own], np.int64)
        step.group.all_reduce(examples)
        known = {**state, **feeds, step.graphs.examples: examples}
        for part in (*step.rounds, step.backward):
            known |= self._summed(part, known, own, examples[0])
        changed = run_on(step.update, known)
        changed |= {n: a for n, a in known.items() if n in map(after_step, state)}
        self._state = {n: changed.get(after_step(n), a) for n, a in state.items()}
        fed_back = {after_step(name) for name in state}
        return {n: a for n, a in changed.items() if n not in fed_back}

    def state(self) -> Arrays:
        """Give a copy of what the next step reads."""
        return {name: np.array(array) for name, array in self._state.items()}

    def _summed(self, part: Compiled, known: Feeds, own: int, examples: int) -> Feeds:
        """Run a graph on this part of the batch; give the sums of the whole, and averages."""
        step, statistics = self._step, {after_step(n) for n in self._state}
        if own:
            sums = {n: widened(a) for n, a in run_on(part, known).items()}
            for name in statistics & sums.keys():
                sums[name] *= own
        else:
            outputs = part.graph.outputs
            sums = {v.name: zeros_of(v, known, part.graph) for v in outputs}
        add_over_processes(sums, step.group)
        for name in statistics & sums.keys():
            sums[name] /= examples
        dtypes = {v.name: v.dtype for v in part.graph.outputs}
        names = step.graphs.sums
        return {names.get(n, n): a.astype(dtypes[n], copy=False) for n, a in sums.items()}


def _share_of_cores(backend: str, group: Group) -> dict[str, Any]:
    """Give the options by which a backend takes no more threads than its part of the cores.

    Processes that each take all cores wait for each other: a step takes twice as long.
    """
    if "threads" not in signature(find_backend(backend).prepare).parameters:
        return {}
    return {"threads": max(1, (os.cpu_count() or 1) // group.neighbors)}
