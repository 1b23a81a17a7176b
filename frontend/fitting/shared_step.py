"""A training step that several processes take together, each on its part of the batch."""

import os
from collections.abc import Mapping
from inspect import signature
from typing import Any

import numpy as np

from onnxgrad.backends import find_backend
from onnxgrad.compiler.emission.naming import after_step
from onnxgrad.compiler.graph.ir import Graph

from ..parallel import Group
from ..running import compile
from .checkpoint import Arrays
from .data import Feeds, count


class SharedStep:
    """Gradients of a part of the batch, their mean over all, and the update, the same in all.

    The mean is weighted by how many examples each process has, so the step is that of the whole
    batch where the loss is a mean over examples. BatchNormalization in training mode normalizes
    each part by itself; its running statistics are averaged.
    """

    def __init__(self, parts: tuple[Graph, Graph], loss: str, backend: str, group: Group) -> None:
        """Compile both parts, as `split_step` gives them."""
        backward, update = parts
        results = {v.name for v in backward.outputs}
        self.loss = loss
        self.group = group
        self.read = [v.name for v in backward.inputs]
        self.gradients = [v.name for v in update.inputs if v.name in results]
        self.statistics = [n for n in self.read if after_step(n) in results]
        self.dtypes = {v.name: v.dtype for v in backward.outputs}
        self.needed = [v.name for v in update.inputs if v.name not in results]
        options = _share_of_cores(backend, group)
        self.backward = compile(backward, backend, **options)
        self.update = compile(update, backend, **options)

    def stepper(self, state: Arrays) -> "SharedStepper":
        """Give what takes the steps, from a state that is the same in all processes."""
        return SharedStepper(self, state)


class SharedStepper:
    """Takes steps and holds the state between them."""

    def __init__(self, step: SharedStep, state: Arrays) -> None:
        self._step = step
        self._state = dict(state)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Take a step on this process's part of a batch, which may be empty; give the mean loss.

        What the update tells besides, such as the rate of a schedule, comes with it.
        """
        step, state = self._step, self._state
        own = count(feeds)
        results = self._zeros()
        if own:
            held = {name: state[name] for name in step.read if name in state}
            found = step.backward.run({**feeds, **held})
            for name, into in results.items():
                given = np.reshape(found[name], into.shape)  # the loss, one element, may have axes
                np.multiply(given, own, out=into, dtype=into.dtype)
        _average(results, own, step.group)
        results = {name: a.astype(step.dtypes[name], copy=False) for name, a in results.items()}
        gradients = {name: results[name] for name in step.gradients}
        changed = step.update.run(gradients | {name: state[name] for name in step.needed})
        changed |= {after_step(n): results[after_step(n)] for n in step.statistics}
        self._state = {n: changed.get(after_step(n), a) for n, a in state.items()}
        fed_back = {after_step(name) for name in state}
        told = {n: a for n, a in changed.items() if n not in fed_back}
        return told | {step.loss: results[step.loss]}

    def state(self) -> Arrays:
        """Give a copy of what the next step reads."""
        return {name: np.array(array) for name, array in self._state.items()}

    def _zeros(self) -> Feeds:
        """Make room for what is averaged: the loss, the gradients and the running statistics.

        Half precision is summed in float32: of many examples it overflows, and not every group
        takes it.
        """
        step, state = self._step, self._state
        shapes = {step.loss: ()}
        shapes |= {name: state[name.removesuffix(".grad")].shape for name in step.gradients}
        shapes |= {after_step(name): state[name].shape for name in step.statistics}
        dtypes = {name: np.result_type(step.dtypes[name], np.float32) for name in shapes}
        return {name: np.zeros(shape, dtypes[name]) for name, shape in shapes.items()}


def _share_of_cores(backend: str, group: Group) -> dict[str, Any]:
    """Give the options by which a backend takes no more threads than its part of the cores.

    Processes that each take all cores wait for each other: a step takes twice as long.
    """
    if "threads" not in signature(find_backend(backend).prepare).parameters:
        return {}
    return {"threads": max(1, (os.cpu_count() or 1) // group.neighbors)}


def _average(arrays: Feeds, own: int, group: Group) -> None:
    """Divide sums over all processes by the number of examples, in one buffer for each dtype."""
    examples = np.array([own], np.int64)
    group.all_reduce(examples)
    for dtype in dict.fromkeys(a.dtype for a in arrays.values()):  # in one order everywhere
        chosen = [a for a in arrays.values() if a.dtype == dtype]
        buffer = np.concatenate([a.reshape(-1) for a in chosen])
        group.all_reduce(buffer)
        buffer /= examples[0]
        ends = np.cumsum([a.size for a in chosen])[:-1]
        for array, part in zip(chosen, np.split(buffer, ends), strict=True):
            array[...] = part.reshape(array.shape)
