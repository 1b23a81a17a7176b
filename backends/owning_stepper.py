"""Steps that write the new state over the old one, in memory that the stepper alone holds."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..compiler.errors import GraphError
from ..compiler.graph.arguments import require_mapping
from .stepping import refuse_fed_back

Run = Callable[[Mapping[str, Any]], dict[str, Any]]


class OwningStepper:
    """The first step leaves the caller's arrays alone; later ones write over what it gave.

    A step that fails before it writes leaves the state as it was; one that fails later spoils it.
    """

    def __init__(
        self,
        first: Run,
        later: Run,
        feedback: Mapping[str, str],
        state: Mapping[str, Any],
    ) -> None:
        """Take the first state, which is only read.

        Args:
            first: runs on arrays by name and gives each result in memory of its own.
            later: the same, but writes over state; it calls `begin_writing` before it does.
            feedback: {input: output}.
            state: the first arrays.
        """
        self._run = first
        self._later = later
        self._feedback = feedback
        self._fed_back = set(feedback.values())
        self._state = dict(state)
        self._is_torn = False

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name.

        Raises:
            GraphError: a step before this one failed while it wrote.
        """
        require_whole(self._is_torn)
        feeds = require_mapping(feeds, "feeds")
        refuse_fed_back(feeds, self._state)
        results = self._run({**feeds, **self._state})
        self._state = {name: results[output] for name, output in self._feedback.items()}
        self._is_torn = False
        self._run = self._later
        return {name: a for name, a in results.items() if name not in self._fed_back}

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        require_whole(self._is_torn)
        return {n: np.array(a) if hasattr(a, "shape") else a for n, a in self._state.items()}

    def begin_writing(self) -> None:
        """Note that the old state is being lost: until the step ends there is none."""
        self._is_torn = True


def require_whole(is_torn: bool) -> None:
    """Refuse a state that a step has written over in part."""
    if is_torn:
        raise GraphError(
            "a step failed while it wrote its new state, which is lost; make a new stepper from a "
            "state that was kept, stepper(state)"
        )
