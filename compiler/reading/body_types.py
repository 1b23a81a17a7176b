"""Types of what bodies take: of Loop and Scan by a fixpoint over the way back to the next step.

A state enters with its initial type; a size that the body does not provably keep gets a fresh name.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import OnnxgradError
from ..graph.types import SequenceType, TensorType, Type, element_type, fresh_dim

Read = Callable[[Sequence[Type | None]], list[Type]]
"""Reads a body whose inputs have these types; gives the types of its outputs."""

ROUNDS = 3
"""Attempts before every size of every state gets a fresh name."""


def map_types(inputs: Sequence[Type | None]) -> list[Type | None]:
    """Give the types of what the body of a SequenceMap takes: elements, and tensors as they are."""
    return [element_type(t) if isinstance(t, SequenceType) else t for t in inputs]


def loop_types(inputs: Sequence[Type | None], read: Read) -> list[Type | None]:
    """Give the types of what a Loop's body takes: step, condition and states."""
    lead = [TensorType(np.dtype(np.int64), ()), TensorType(np.dtype(np.bool_), ())]
    return _settled(lead, list(inputs[2:]), [], lambda types: read(types)[1:])


def scan_types(inputs: Sequence[Type | None], axes: Sequence[int], read: Read) -> list[Type | None]:
    """Give the types of what a Scan's body takes: states and entries of tapes cut along axes."""
    states = len(inputs) - len(axes)
    entries = [_cut(t, a) for t, a in zip(inputs[states:], axes, strict=True)]
    return _settled([], list(inputs[:states]), entries, read)


def _settled(
    lead: Sequence[Type | None],
    states: list[Type | None],
    entries: Sequence[Type | None],
    read: Read,
) -> list[Type | None]:
    loose: set[str] = set()
    for _ in range(ROUNDS):
        try:
            after = read([*lead, *states, *entries])[: len(states)]
        except OnnxgradError:
            break  # a size that changes was taken for one that does not
        found = [
            s if s is None else _joined(s, t, loose) for s, t in zip(states, after, strict=False)
        ]
        if found == states:
            return [*lead, *states, *entries]
        states = found
    return [*lead, *(s if s is None else loosened(s) for s in states), *entries]


def _joined(before: Type, after: Type, loose: set[str]) -> Type:
    """Give a state's type with fresh names for sizes that a step may change; `loose` gains them."""
    if isinstance(before, SequenceType) and isinstance(after, SequenceType):
        return SequenceType(_joined(before.element, after.element, loose))
    if not isinstance(before, TensorType) or before.shape is None:
        return before
    shape = after.shape if isinstance(after, TensorType) else None
    if shape is None or len(shape) != len(before.shape):
        shape = tuple(fresh_dim() for _ in before.shape)
    dims = []
    for p, q in zip(before.shape, shape, strict=True):
        if p != q and p not in loose:
            p = fresh_dim()
            loose.add(p)
        dims.append(p)
    return TensorType(before.dtype, tuple(dims))


def loosened(type_: Type) -> Type:
    """Keep only dtype and rank."""
    if isinstance(type_, SequenceType):
        return SequenceType(loosened(type_.element))
    if not isinstance(type_, TensorType) or type_.shape is None:
        return type_
    return TensorType(type_.dtype, tuple(fresh_dim() for _ in type_.shape))


def _cut(type_: Type | None, axis: int) -> Type | None:
    """Give the type of a tape's entry."""
    if not isinstance(type_, TensorType) or type_.shape is None:
        return type_
    axis %= len(type_.shape)
    return TensorType(type_.dtype, (*type_.shape[:axis], *type_.shape[axis + 1 :]))
