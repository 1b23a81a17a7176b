"""Kernels of sequences (lists of arrays) and of optionals (None or the value)."""

from typing import Any

from .registry import Array, kernel


@kernel("SequenceEmpty")
def sequence_empty(xp: Any, *, dtype: int = 1) -> list[Array]:
    """Give a sequence without elements."""
    return []


@kernel("SequenceConstruct")
def sequence_construct(xp: Any, *inputs: Array) -> list[Array]:
    """Give the inputs as a sequence."""
    return list(inputs)


@kernel("SequenceInsert")
def sequence_insert(
    xp: Any, input_sequence: list[Array], tensor: Array, position: Array | None = None
) -> list[Array]:
    """Insert before `position`, which may count from the end; at the end without one."""
    where = len(input_sequence) if position is None else _position(input_sequence, position, 1)
    return [*input_sequence[:where], tensor, *input_sequence[where:]]


@kernel("SequenceErase")
def sequence_erase(
    xp: Any, input_sequence: list[Array], position: Array | None = None
) -> list[Array]:
    """Leave out the element at `position`, the last without one."""
    last = len(input_sequence) - 1
    where = last if position is None else _position(input_sequence, position)
    return [*input_sequence[:where], *input_sequence[where + 1 :]]


@kernel("SequenceAt")
def sequence_at(xp: Any, input_sequence: list[Array], position: Array) -> Array:
    """Give the element at `position`, which may count from the end."""
    return input_sequence[_position(input_sequence, position)]


@kernel("SequenceLength")
def sequence_length(xp: Any, input_sequence: list[Array]) -> Array:
    """Give the number of elements, an int64 scalar."""
    return xp.asarray(len(input_sequence), "int64")


@kernel("ConcatFromSequence")
def concat_from_sequence(
    xp: Any, input_sequence: list[Array], *, axis: int, new_axis: int = 0
) -> Array:
    """Join the elements along an axis, a new one with `new_axis`."""
    return (xp.stack if new_axis else xp.concatenate)(input_sequence, axis=axis)


@kernel("SplitToSequence")
def split_to_sequence(
    xp: Any, input: Array, split: Array | None = None, *, axis: int = 0, keepdims: int = 1
) -> list[Array]:
    """Cut along an axis: into ones (the axis dropped unless keepdims), equal parts or sizes."""
    length = input.shape[axis]
    if split is None:
        ones = _cut(xp, input, [1] * length, axis)
        return ones if keepdims else [xp.squeeze(part, axis) for part in ones]
    if split.ndim == 0:
        size = int(split.item())
        sizes = [size] * (length // size) + [length % size] * (length % size > 0)
        return _cut(xp, input, sizes, axis)
    return _cut(xp, input, [int(n) for n in split], axis)


def _cut(xp: Any, x: Array, sizes: list[int], axis: int) -> list[Array]:
    axis %= x.ndim
    parts, start = [], 0
    for size in sizes:
        parts.append(x[(slice(None),) * axis + (slice(start, start + size),)])
        start += size
    return parts


@kernel("Optional")
def optional(xp: Any, input: Any = None, *, type: Any = None) -> Any:
    """Wrap a value, or nothing."""
    return input


@kernel("OptionalHasElement")
def optional_has_element(xp: Any, input: Any = None) -> Array:
    """Tell whether there is a value, a boolean scalar."""
    return xp.asarray(input is not None)


@kernel("OptionalGetElement")
def optional_get_element(xp: Any, input: Any) -> Any:
    """Give the value; an error where there is none."""
    if input is None:
        raise ValueError("the optional is empty")
    return input


def _position(sequence: list[Array], position: Array, beyond: int = 0) -> int:
    where, length = int(position.item()), len(sequence)
    if not -length <= where < length + beyond:
        raise IndexError(f"position {where} of a sequence of {length}")
    return where + length if where < 0 else where
