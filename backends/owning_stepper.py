"""Steps that write the new state over the old one, in memory that the stepper alone holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..compiler.errors import GraphError
from ..compiler.graph.arguments import require_mapping
from .stepping import refuse_fed_back


class OwningStepper:
    """One set of buffers for what kernels may overwrite; the caller's arrays are copied first.

    A step that fails before it writes leaves the state as it was; one that fails later spoils it.
    """

    def __init__(
        self,
        run: Callable[[Mapping[str, Any]], dict[str, Any]],
        feedback: Mapping[str, str],
        state: Mapping[str, Any],
        overwritten: Sequence[str],
    ) -> None:
        """Take over the first state.

        Args:
            run: runs on arrays by name; it calls `begin_writing` before it writes over any.
            feedback: {input: output}.
            state: the first arrays.
            overwritten: the inputs that are written over.
        """
        self._run = run
        self._feedback = feedback
        self._state = dict(state)
        for name in overwritten:
            self._state[name] = np.array(self._state[name], order="C")
        self._is_torn = False

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name.

        Raises:
            GraphError: a step before this one failed while it wrote.
        """
        self._require_whole()
        feeds = require_mapping(feeds, "feeds")
        refuse_fed_back(feeds, self._state)
        results = self._run({**feeds, **self._state})
        self._state = {name: results[output] for name, output in self._feedback.items()}
        self._is_torn = False
        fed_back = set(self._feedback.values())
        return {name: result for name, result in results.items() if name not in fed_back}

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        self._require_whole()
        return {n: np.array(a) if hasattr(a, "shape") else a for n, a in self._state.items()}

    def begin_writing(self) -> None:
        """Note that the old state is being lost: until the step ends there is none."""
        self._is_torn = True

    def _require_whole(self) -> None:
        if self._is_torn:
            raise GraphError(
                "a step failed while it wrote its new state, which is lost; make a new stepper "
                "from a state that was kept, stepper(state)"
            )
