"""Repeat a graph with outputs fed back to inputs, as training does; it knows no optimizer."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from ..compiler.emission.naming import after_step
from ..compiler.errors import GraphError
from ..compiler.graph.arguments import optional_mapping, require_mapping, require_texts
from ..compiler.graph.dims import shapes_may_equal
from ..compiler.graph.ir import Graph, Value
from ..compiler.graph.types import TensorType
from .base import Executable, Stepper, SteppingExecutable
from .feeds import check_feeds


def make_stepper(
    graph: Graph,
    executable: Executable,
    feedback: Mapping[str, str] | None = None,
    state: Mapping[str, Any] | None = None,
) -> Stepper:
    """Give a stepper of an executable.

    Args:
        graph: the graph that was prepared.
        executable: the graph, ready to run.
        feedback: {input: output}; by default each output "<input>.new".
        state: the first arrays by input name; by default the inputs' own default values.

    Raises:
        GraphError: a name is unknown, the types of a pair differ, or a first array is missing.
    """
    inputs = {v.name: v for v in graph.inputs}
    outputs = {v.name: v for v in graph.outputs}
    if feedback is not None:
        feedback = require_mapping(feedback, "feedback")
        require_texts(list(feedback.values()), "the outputs in feedback")
    else:
        feedback = {n: after_step(n) for n in inputs if after_step(n) in outputs}
    _check(inputs, outputs, feedback)
    fed = [inputs[name] for name in feedback]
    state = optional_mapping(state, "state")
    if missing := [v.name for v in fed if v.constant is None and v.name not in state]:
        raise GraphError(
            f"the first value of {', '.join(missing)} is missing: hand it over, stepper(state); of "
            "a training step that was read from a file run the start graph, which gives it"
        )
    first = dict(zip(feedback, check_feeds(fed, state), strict=True))
    if isinstance(executable, SteppingExecutable):
        return executable.stepper(feedback, first)
    return RunStepper(executable, feedback, first)


class RunStepper:
    """The plain way: run, and keep what is fed back for the next run."""

    def __init__(
        self, executable: Executable, feedback: Mapping[str, str], state: Mapping[str, Any]
    ) -> None:
        self._executable = executable
        self._feedback = feedback
        self._state = dict(state)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name."""
        feeds = require_mapping(feeds, "feeds")
        refuse_fed_back(feeds, self._state)
        results = self._executable.run({**feeds, **self._state})
        self._state = {name: results[output] for name, output in self._feedback.items()}
        fed_back = set(self._feedback.values())
        return {name: result for name, result in results.items() if name not in fed_back}

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        return {n: np.array(a) if hasattr(a, "shape") else a for n, a in self._state.items()}


def refuse_fed_back(feeds: Mapping[str, Any], state: Collection[str]) -> None:
    """Refuse arrays for what is state."""
    if both := [name for name in feeds if name in state]:
        raise GraphError(f"{', '.join(both)} is fed back, so a step takes no array for it")


def _check(
    inputs: Mapping[str, Value], outputs: Mapping[str, Value], feedback: Mapping[str, str]
) -> None:
    for name, output in feedback.items():
        if name not in inputs or output not in outputs:
            which = f"input '{name}'" if name not in inputs else f"output '{output}'"
            raise GraphError(f"the graph has no {which} to feed back")
        given, wanted = outputs[output].type, inputs[name].type
        alike = type(given) is type(wanted)
        if isinstance(given, TensorType) and isinstance(wanted, TensorType):
            alike = given.dtype == wanted.dtype and shapes_may_equal(given.shape, wanted.shape)
        if not alike:
            raise GraphError(f"'{output}' is {given}, but '{name}', where it goes, is {wanted}")
    if not feedback:
        raise GraphError(
            "nothing to feed back: no input '<name>' has an output '<name>.new', as "
            "og.train_step makes them"
        )
