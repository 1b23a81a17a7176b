"""Run the compiled function of a small graph: what is around a call must not cost more than it."""

from collections.abc import Mapping, Sequence
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
        if self.function.call(*fed, *results, *self.function.constants):
            return self.kernels.run(feeds)
        return self._results.named(results)

    def stepper(self, feedback: Mapping[str, str], state: Mapping[str, Any]) -> Stepper:
        """Feed outputs back."""
        return SmallStepper(self, feedback, state)


class _Turn(NamedTuple):
    """The state that a step reads, the one that it writes, and all arguments but its own."""

    state: Arrays
    written: Arrays
    arguments: list[np.ndarray | None]


class SmallStepper:
    """Steps that read one set of arrays for the state and write another, in turns.

    The first step reads a copy of the first state. A step that fails leaves the state as it was.
    """

    def __init__(
        self, executable: SmallExecutable, feedback: Mapping[str, str], state: Mapping[str, Any]
    ) -> None:
        """Copy the first state, by input; `feedback` is {input: output}."""
        inputs, outputs = executable.inputs, executable.outputs
        fed_back = set(feedback.values())
        self._executable = executable
        self._fed = {k: v for k, v in enumerate(inputs) if v.name not in feedback}
        self._made = {k: v for k, v in enumerate(outputs, len(inputs)) if v.name not in fed_back}
        self._feeds, self._results = _Feeds([*self._fed.values()]), _Results([*self._made.values()])
        kept = _Results([v for v in outputs if v.name in fed_back])
        ones, others = (kept.named(kept.empty()) for _ in range(2))

        def turn(state: Arrays, written: Arrays) -> _Turn:
            read = [state.get(v.name) for v in inputs]
            made = [written.get(v.name) for v in outputs]
            return _Turn(state, written, [*read, *made, *executable.function.constants])

        def fed(written: Arrays) -> Arrays:
            return {name: written[output] for name, output in feedback.items()}

        self._next = turn({n: np.array(a, order="C") for n, a in state.items()}, ones)
        self._later = [turn(fed(others), ones), turn(fed(ones), others)]

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name."""
        turn = self._next
        fed = self._feeds.taken(feeds)
        if fed is None:
            fed = self._checked(feeds)
        results = self._results.empty()
        arguments = turn.arguments.copy()
        for k, array in zip(self._fed, fed, strict=True):
            arguments[k] = array
        for k, array in zip(self._made, results, strict=True):
            arguments[k] = array
        if self._executable.function.call(*arguments):
            found = self._executable.kernels.run({**feeds, **turn.state})
            for name, array in turn.written.items():
                array[...] = found[name]
            results = [found[name] for name in self._results.names]
        self._later.reverse()
        self._next = self._later[0]
        return self._results.named(results)

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        return {name: array.copy() for name, array in self._next.state.items()}

    def _checked(self, feeds: Mapping[str, Any]) -> list[np.ndarray]:
        feeds, state = require_mapping(feeds, "feeds"), self._next.state
        refuse_fed_back(feeds, state)
        found = check_feeds(self._executable.inputs, {**feeds, **state})
        return in_rows([found[k] for k in self._fed])


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
    """Arrays for the outputs."""

    def __init__(self, outputs: Sequence[Value]) -> None:
        self.names = [v.name for v in outputs]
        self._types = [(sizes_of(v), v.dtype) for v in outputs]

    def empty(self) -> list[np.ndarray]:
        """Give arrays to write into."""
        return [np.empty(shape, dtype) for shape, dtype in self._types]

    def named(self, results: Sequence[np.ndarray]) -> dict[str, Any]:
        """Give results by name."""
        return dict(zip(self.names, results, strict=True))


def in_rows(arrays: Sequence[Any]) -> list[np.ndarray]:
    """Copy the arrays that compiled code does not read as they lie."""
    with told_as_ours():
        found = [a if isinstance(a, np.ndarray) else np.asarray(a) for a in arrays]
    return [a if a.flags.carray else np.array(a, order="C") for a in found]
