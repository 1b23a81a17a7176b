"""Run the compiled function of a small graph: what is around a call must not cost more than it."""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from ....compiler.graph.arguments import require_mapping
from ....compiler.graph.ir import Graph, Value
from ....compiler.passes.operator_costs import sizes_of
from ...base import Executable, Stepper
from ...failures import told_as_ours
from ...feeds import check_feeds
from ...stepping import refuse_fed_back
from .compilation import SmallFunction

Arrays = dict[str, np.ndarray]


class SmallExecutable:
    """A small graph, ready to run on arrays given by name."""

    def __init__(self, graph: Graph, function: SmallFunction, kernels: Executable) -> None:
        """Take the function.

        Args:
            graph: the graph, prepared.
            function: what `compile_small` made of it.
            kernels: the same graph; it runs on what the function leaves to it.
        """
        self.function = function
        self.kernels = kernels
        self.inputs = list(graph.inputs)
        self.outputs = list(graph.outputs)
        self._feeds, self._results = _Feeds(self.inputs), _Results(self.outputs)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name, each with memory of its own."""
        fed = self._feeds.taken(feeds)
        if fed is None:
            fed = in_rows(check_feeds(self.inputs, feeds))
        results = self._results.empty()
        if self.function.call(*fed, *results.values(), *self.function.constants):
            return self.kernels.run(feeds)
        return results

    def stepper(self, feedback: Mapping[str, str], state: Mapping[str, Any]) -> Stepper:
        """Feed outputs back."""
        return SmallStepper(self, feedback, state)


class _Turn(NamedTuple):
    """The state that a step reads, by input, and the one that it writes, by output."""

    state: Arrays
    written: Arrays
    arguments: list[np.ndarray]
    """Both, and the constants."""


class SmallStepper:
    """Steps that read one set of arrays for the state and write another, in turns.

    The first step reads a copy of the first state. A step that fails leaves the state as it was.
    """

    def __init__(
        self, executable: SmallExecutable, feedback: Mapping[str, str], state: Mapping[str, Any]
    ) -> None:
        """Copy the first state, by input; `feedback` is {input: output}."""
        inputs, outputs = executable.inputs, executable.outputs
        constants, fed_back = executable.function.constants, set(feedback.values())
        fed, held = _parted(inputs, set(feedback))
        made, kept = _parted(outputs, fed_back)
        self._executable = executable
        self._feeds, self._results = _Feeds(fed), _Results(made)
        own = [*fed, *made, *held, *kept]
        places = [own.index(v) for v in (*inputs, *outputs)]
        self._ordered = itemgetter(*places, *range(len(own), len(own) + len(constants)))

        def turn(state: Arrays, written: Arrays) -> _Turn:
            arguments = [*(state[v.name] for v in held), *written.values(), *constants]
            return _Turn(state, written, arguments)

        def read(written: Arrays) -> Arrays:
            return {name: written[output] for name, output in feedback.items()}

        ones, others = (_Results(kept).empty() for _ in range(2))
        self._next = turn({n: np.array(a, order="C") for n, a in state.items()}, ones)
        self._later = [turn(read(others), ones), turn(read(ones), others)]

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name."""
        turn = self._next
        fed = self._feeds.taken(feeds)
        if fed is None:
            fed = self._checked(feeds)
        results = self._results.empty()
        arguments = self._ordered((*fed, *results.values(), *turn.arguments))
        if self._executable.function.call(*arguments):
            found = self._executable.kernels.run({**feeds, **turn.state})
            for name, array in turn.written.items():
                array[...] = found[name]
            results = {name: found[name] for name in results}
        self._later.reverse()
        self._next = self._later[0]
        return results

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        return {name: array.copy() for name, array in self._next.state.items()}

    def _checked(self, feeds: Mapping[str, Any]) -> list[np.ndarray]:
        feeds, state = require_mapping(feeds, "feeds"), self._next.state
        refuse_fed_back(feeds, state)
        inputs = self._executable.inputs
        found = check_feeds(inputs, {**feeds, **state})
        return in_rows([a for v, a in zip(inputs, found, strict=True) if v.name not in state])


def _parted(values: Sequence[Value], names: Collection[str]) -> tuple[list[Value], list[Value]]:
    """Give the values that do not go by one of the names, and those that do."""
    named = [v for v in values if v.name in names]
    return [v for v in values if v not in named], named


class _Feeds:
    """A look at what is fed: most of it is just what it must be."""

    def __init__(self, inputs: Sequence[Value]) -> None:
        self._wanted = [(v.name, v.dtype, v.shape) for v in inputs]

    def taken(self, feeds: Mapping[str, Any]) -> list[np.ndarray] | None:
        """Give what is fed in the order of the inputs; None where it needs a closer look."""
        if type(feeds) is not dict or len(feeds) != len(self._wanted):
            return None
        found = []
        for name, dtype, shape in self._wanted:
            array = feeds.get(name)
            if type(array) is not np.ndarray or array.shape != shape or array.dtype is not dtype:
                return None
            if not array.flags.carray:
                return None
            found.append(array)
        return found


class _Results:
    """What is made of a step, by name."""

    def __init__(self, outputs: Sequence[Value]) -> None:
        self._types = [(v.name, sizes_of(v), v.dtype) for v in outputs]

    def empty(self) -> Arrays:
        """Give arrays to write into."""
        return {name: np.empty(shape, dtype) for name, shape, dtype in self._types}


def in_rows(arrays: Sequence[Any]) -> list[np.ndarray]:
    """Copy the arrays that compiled code does not read as they lie."""
    with told_as_ours():
        found = [np.asarray(a) for a in arrays]  # no subclass
    return [a if a.flags.carray else np.array(a, order="C") for a in found]
