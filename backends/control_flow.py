"""Run the operators that hold subgraphs; each gets plans of its subgraphs made ready to run."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from ..compiler.errors import GraphError
from ..compiler.graph.ir import Node, Value
from ..compiler.graph.recurrence import Recurrence, Tape
from ..compiler.graph.types import Dim, SequenceType, TensorType
from ..compiler.opset import COMPOSITE_DOMAIN


class SubgraphPlan(Protocol):
    """A subgraph made ready to run."""

    captures: list[Value]

    def run(self, inputs: Sequence[Any], captured: Sequence[Any] = ()) -> list[Any]:
        """Run on inputs and captured values; give the outputs."""
        ...


Maker = Callable[[Any, Node, Mapping[str, Any]], Callable[..., Any]]
"""`maker(xp, node, plans)` gives a kernel of the node's inputs followed by all captured values."""

SUBGRAPH_KERNELS: dict[tuple[str, str], Maker] = {}


def _subgraph_kernel(*op_types: str, domain: str = "") -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        for op_type in op_types:
            SUBGRAPH_KERNELS[domain, op_type] = maker
        return maker

    return register


@_subgraph_kernel("If")
def _if(xp: Any, node: Node, plans: Mapping[str, SubgraphPlan]) -> Callable[..., Any]:
    counts = [len(plan.captures) for plan in plans.values()]
    names = list(plans)

    def run(condition: Any, *captured: Any) -> tuple[Any, ...]:
        parts = {names[0]: captured[: counts[0]], names[1]: captured[counts[0] :]}
        taken = "then_branch" if _scalar(condition) else "else_branch"
        return tuple(plans[taken].run([], parts[taken]))

    return run


@_subgraph_kernel("Loop", "Scan")
@_subgraph_kernel("Iterate", domain=COMPOSITE_DOMAIN)
def _iterate(xp: Any, node: Node, plans: Mapping[str, SubgraphPlan]) -> Callable[..., Any]:
    """Loop, Scan and Iterate: states go from step to step, entries come from and go to tapes."""
    loop, body, given = Recurrence(node), plans["body"], len(node.inputs)
    inputs, outputs = loop.input_tapes, loop.output_tapes

    def run(*values: Any) -> tuple[Any, ...]:
        arguments, captured = values[:given], values[given:]
        lead, states = arguments[: loop.lead], list(arguments[loop.lead :][: loop.states])
        tapes = arguments[loop.lead + loop.states :]
        limit = _limit(lead, tapes, inputs)
        going = len(lead) < 2 or lead[1] is None or bool(_scalar(lead[1]))
        written: list[list[Any]] = [[] for _ in outputs]
        step = 0
        while going and (limit is None or step < limit):
            entries = [_read(a, t, step) for a, t in zip(tapes, inputs, strict=True)]
            counter = [xp.asarray(step, np.int64), xp.asarray(True)] if loop.lead else []
            results = body.run([*counter, *states, *entries], captured)
            if loop.lead:
                going = bool(_scalar(results.pop(0)))
            states = results[: loop.states]
            for entry, kept in zip(results[loop.states :], written, strict=True):
                kept.append(entry)
            step += 1
        sizes = {} if step else _sizes([*node.inputs, *body.captures], values)
        stacks = [_write(xp, e, t, sizes) for e, t in zip(written, outputs, strict=True)]
        return (*states, *stacks)

    return run


def _limit(lead: Sequence[Any], tapes: Sequence[Any], specs: Sequence[Tape]) -> int | None:
    """Give how many steps there are at most: the trip count, else the length of a tape."""
    if lead and lead[0] is not None:
        return int(_scalar(lead[0]))
    for tape, spec in zip(tapes, specs, strict=True):
        return len(tape) if isinstance(tape, list) else int(tape.shape[spec.axis])
    return None


def _read(tape: Any, spec: Tape, step: int) -> Any:
    position = -1 - step if spec.backward else step
    if isinstance(tape, list):
        return tape[position]
    axis = spec.axis % tape.ndim
    return tape[(slice(None),) * axis + (position,)]


def _sizes(named: Sequence[Value | None], arrays: Sequence[Any]) -> dict[Dim, int]:
    """Give the sizes by name that arrays have: what no step wrote has no others to show."""
    return {
        dim: size
        for value, array in zip(named, arrays, strict=True)
        if value is not None and isinstance(value.type, TensorType)
        for dim, size in zip(value.type.shape or (), np.shape(array), strict=False)
    }


def _write(xp: Any, entries: list[Any], spec: Tape, sizes: Mapping[Dim, int]) -> Any:
    """Stack what the steps wrote; after no steps `sizes` tell its shape as far as they can."""
    if spec.backward:
        entries.reverse()
    if spec.type is None or isinstance(spec.type, SequenceType):
        return entries
    if entries:
        arrays = [xp.asarray(e) for e in entries]
        if any(a.shape != arrays[0].shape for a in arrays):
            raise GraphError(
                "what is stacked over the steps changes its shape from step to step: "
                f"{', '.join(sorted({str(a.shape) for a in arrays}))}; a sequence may hold such"
            )
        return xp.stack(arrays, spec.axis)
    assert isinstance(spec.type, TensorType)
    shape = [d if isinstance(d, int) else sizes.get(d, 0) for d in spec.type.shape or ()]
    shape[spec.axis : spec.axis + 1 or None] = [0]
    return xp.zeros(shape, spec.type.dtype)


@_subgraph_kernel("SequenceMap")
def _sequence_map(xp: Any, node: Node, plans: Mapping[str, SubgraphPlan]) -> Callable[..., Any]:
    body, given = plans["body"], len(node.inputs)
    varies = [v is not None and isinstance(v.type, SequenceType) for v in node.inputs]

    def run(*values: Any) -> tuple[Any, ...]:
        arguments, captured = values[:given], values[given:]
        results: list[list[Any]] = [[] for _ in node.outputs]
        for k in range(len(arguments[0])):
            entries = [a[k] if v else a for a, v in zip(arguments, varies, strict=True)]
            for kept, result in zip(results, body.run(entries, captured), strict=True):
                kept.append(result)
        return tuple(results)

    return run


def _scalar(array: Any) -> Any:
    return array.item() if hasattr(array, "item") else array
