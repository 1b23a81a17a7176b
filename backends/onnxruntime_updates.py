"""Updates of large parameters, taken out of a training step and run beside onnxruntime.

In a session Adam's update is a dozen passes over memory and needs a second set of state; our kernel
is one pass, over the state itself. What a session computes then is the gradient.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from ..compiler.graph.arguments import require_mapping
from ..compiler.graph.dead_code import remove_dead_code
from ..compiler.graph.ir import Graph, Node
from ..compiler.graph.types import is_static
from ..compiler.opset import COMPOSITE_DOMAIN
from .base import Stepper
from .feeds import check_feeds
from .kernels.registry import KERNELS
from .kernels.threads import allowed_cores
from .owning_stepper import require_whole
from .stepping import RunStepper, refuse_fed_back

_LARGE = 2**16
"""Least elements of a parameter whose update is taken out."""

_TAKEN = ("AdamUpdate",)
"""Updates of many passes; that of gradient descent costs a session no more than ours."""


_THREADS = 8
"""Most threads that update; more would wait for memory."""


@dataclass(frozen=True, slots=True)
class Update:
    """One update: who gives its inputs, where its state goes, and the kernel."""

    inputs: tuple[str | np.ndarray | None, ...]
    """Names, or arrays that are constants."""
    replaced: Mapping[str, str]
    """{state: its next value}."""
    outputs: tuple[str, ...]
    node: Node

    def run(self, arrays: Mapping[str, Any], in_place: bool = False) -> dict[str, Any]:
        """Give the new values by name, written over the old ones if `in_place`."""
        entry = KERNELS[self.node.domain, self.node.op_type]
        given = [arrays[x] if isinstance(x, str) else x for x in self.inputs]
        written = frozenset(entry.overwrites) if in_place else frozenset()
        with np.errstate(all="ignore"):  # NaN and infinity pass through
            found = entry.function(np, *given, overwrite=written, **self.node.attributes)
        return dict(zip(self.outputs, found, strict=True))


def take_out_updates(graph: Graph) -> tuple[Graph, list[Update]]:
    """Give the graph without its large updates, whose inputs become outputs, and the updates."""
    if not any(_is_taken(node) for node in graph.nodes()):
        return graph, []
    rest = graph.copy()
    updates = []
    for node in rest.nodes():
        update = _as_update(rest, node)
        if update is None:
            continue
        updates.append(update)
        rest.outputs = [v for v in rest.outputs if v not in node.outputs]
        for value in node.reads():
            computed = value.constant is None and value not in rest.inputs
            if computed and value not in rest.outputs:
                rest.outputs.append(value)
        rest.remove(node)
    if updates:
        states = {name for u in updates for name in u.replaced}
        remove_dead_code(rest)
        unread = [v for v in rest.inputs if v.name in states and not rest.consumers(v)]
        rest.inputs = [v for v in rest.inputs if v not in unread or v in rest.outputs]
    return rest, updates


def _as_update(graph: Graph, node: Node) -> Update | None:
    """Read a node that can be taken out: state goes in and its next value out, and no further."""
    if not _is_taken(node) or any(v is None for v in node.outputs):
        return None
    replaced = {}
    for output, index in KERNELS[node.domain, node.op_type].overwrites.items():
        before, after = node.input(index), node.output(output)
        if before not in graph.inputs or after not in graph.outputs or graph.consumers(after):
            return None
        assert before is not None
        replaced[before.name] = after.name
    others = [v for v in node.reads() if v.name not in replaced]
    if any(v in graph.inputs for v in others) or len(replaced) < len(node.outputs):
        return None
    inputs = tuple(
        v if v is None else v.name if v.name in replaced or v.constant is None else v.constant
        for v in node.inputs
    )
    return Update(inputs, replaced, tuple(v.name for v in node.writes()), node)


def _is_taken(node: Node) -> bool:
    if node.domain != COMPOSITE_DOMAIN or node.op_type not in _TAKEN:
        return False
    shape = node.first_input.shape
    return shape is not None and is_static(shape) and prod(map(int, shape)) >= _LARGE


class UpdatingExecutable:
    """A training step whose large updates run beside the session."""

    def __init__(self, graph: Graph, inner: Any, updates: list[Update]) -> None:
        self.inner = inner
        self.opened = inner.opened
        self.updates = updates
        self.inputs = list(graph.inputs)
        self.outputs = [v.name for v in graph.outputs]

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name."""
        fed = check_feeds(self.inputs, feeds)
        arrays = {v.name: a for v, a in zip(self.inputs, fed, strict=True)}
        results = self.inner.run({v.name: arrays[v.name] for v in self.inner.inputs})
        for update in self.updates:
            results |= update.run(arrays | results)
        return {name: results[name] for name in self.outputs}

    def stepper(self, feedback: Mapping[str, str], state: Mapping[str, Any]) -> Stepper:
        """Feed outputs back; large state stays where it is and is written over."""
        owned = {name: output for u in self.updates for name, output in u.replaced.items()}
        fed = Counter(feedback.values())
        if not self.inner.is_plain or any(
            feedback.get(name) != output or fed[output] > 1 for name, output in owned.items()
        ):
            return RunStepper(self, feedback, state)
        return UpdatingStepper(self, feedback, state, owned)


class UpdatingStepper:
    """Steps of which a session gives the gradients, and kernels write over the state."""

    def __init__(
        self,
        executable: UpdatingExecutable,
        feedback: Mapping[str, str],
        state: Mapping[str, Any],
        owned: Collection[str],
    ) -> None:
        self._updates = executable.updates
        self._pool = ThreadPoolExecutor(min(_THREADS, allowed_cores()))
        # the first write to new memory takes most of the time of a copy, in each thread
        copies = self._pool.map(partial(np.array, order="C"), (state[name] for name in owned))
        self._buffers = dict(zip(owned, copies, strict=True))
        self._lent = {x for u in self._updates for x in u.inputs if isinstance(x, str)} - {*owned}
        known = {v.name for v in executable.inner.inputs}
        self._inner = executable.inner.bound_stepper(
            {name: output for name, output in feedback.items() if name not in owned},
            {name: array for name, array in state.items() if name not in owned},
            {name: array for name, array in self._buffers.items() if name in known},
            self._lent,
        )
        fed_back = set(feedback.values())
        self._order = [name for name in executable.outputs if name not in fed_back]
        self._names = list(feedback)
        self._is_torn = False

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name.

        Raises:
            GraphError: a step before this one failed while it wrote.
        """
        require_whole(self._is_torn)
        refuse_fed_back(require_mapping(feeds, "feeds"), self._names)
        results = self._inner.run(feeds)
        self._is_torn = True
        arrays = self._buffers | {name: results[name] for name in self._lent}
        list(self._pool.map(partial(Update.run, arrays=arrays, in_place=True), self._updates))
        self._is_torn = False
        return {n: results[n].copy() if n in self._lent else results[n] for n in self._order}

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        require_whole(self._is_torn)
        found = self._inner.state() | {n: a.copy() for n, a in self._buffers.items()}
        return {name: found[name] for name in self._names}
