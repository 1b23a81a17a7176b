"""Python indexing of tensors, as ONNX's Gather, Slice, Unsqueeze and Squeeze."""

from types import EllipsisType
from typing import Any, Protocol, TypeVar

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.types import Shape

_END = int(np.iinfo(np.int64).max)


class Indexable(Protocol):
    """What can be indexed: a tensor of a known rank."""

    @property
    def name(self) -> str:
        """Its name, for errors."""
        ...

    @property
    def shape(self) -> Shape | None:
        """Dimensions, None where the rank is unknown."""
        ...


T = TypeVar("T", bound=Indexable)


def index(op: Any, x: T, key: tuple[Any, ...]) -> T:
    """Emit x[key] for numbers, slices, ... and None; anything else is refused by name."""
    if x.shape is None:
        raise GraphError(f"'{x.name}' has no known rank; index it by op.Gather or op.Slice")
    used = sum(k is not None and k is not Ellipsis for k in key)
    if sum(k is Ellipsis for k in key) > 1:
        raise GraphError(f"'{x.name}' is indexed with two …; where one ends is not known")
    if used > len(x.shape):
        raise GraphError(f"{used} indices for '{x.name}' of rank {len(x.shape)}")
    slices: list[tuple[int, int, int, int]] = []
    dropped: list[int] = []
    added: list[int] = []
    axis = place = 0
    for part in key:
        match part:
            case None:
                added.append(place)
                place += 1
            case EllipsisType():
                place += len(x.shape) - used
                axis += len(x.shape) - used
            case slice():
                bounds = _bounds(part)
                if part != slice(None):
                    slices.append((axis, *bounds))
                axis, place = axis + 1, place + 1
            case int() | np.integer() if not isinstance(part, bool):
                k = int(part)
                size = x.shape[axis]
                if isinstance(size, int) and not -size <= k < size:
                    raise GraphError(f"'{x.name}' has size {size} on axis {axis}: no index {k}")
                slices.append((axis, k, k + 1 if k != -1 else _END, 1))
                dropped.append(axis)
                axis += 1
            case _:
                raise GraphError(f"'{x.name}' cannot be indexed by {part!r}; use op.Gather")
    if slices:
        axes, starts, ends, steps = (list(c) for c in zip(*slices, strict=True))
        x = op.Slice(x, starts, ends, axes, steps)
    if dropped:
        x = op.Squeeze(x, dropped)
    return op.Unsqueeze(x, added) if added else x


def _bounds(part: slice) -> tuple[int, int, int]:
    bounds = (part.start, part.stop, part.step)
    if any(not isinstance(b, int | np.integer | None) for b in bounds):
        raise GraphError(f"{part} has bounds that are not integers; use op.Slice for tensors")
    step = 1 if part.step is None else int(part.step)
    if step == 0:
        raise GraphError("a slice cannot have step 0")
    start = (0 if step > 0 else _END) if part.start is None else int(part.start)
    end = (_END if step > 0 else -_END) if part.stop is None else int(part.stop)
    return start, end, step
