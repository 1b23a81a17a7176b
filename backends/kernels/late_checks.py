"""What kernels find wrong on a device, told when the run is over: to look at once is to wait.

CuPy's indices wrap around where they are out of range, and nothing is raised.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .registry import Array

_found: ContextVar[list[tuple[Array, str]] | None] = ContextVar("found", default=None)
_place: ContextVar[str] = ContextVar("place", default="")


def check_range_later(indices: Array, size: int) -> None:
    """Let the run end with an error if an index lies outside of [-size, size)."""
    found = _found.get()
    if found is not None:
        outside = (indices < -size) | (indices >= size)
        found.append((outside.any(), f"{_place.get()}an index is out of range of {size}"))


@contextmanager
def late_checks(xp: Any) -> Iterator[None]:
    """Raise at the end what kernels have found within: the first of it.

    Raises:
        IndexError: an index was out of range.
    """
    found: list[tuple[Array, str]] = []
    token = _found.set(found)
    try:
        yield
    finally:
        _found.reset(token)
    if found and (wrong := xp.stack([flag for flag, _ in found])).any():
        raise IndexError(found[int(wrong.argmax())][1])


@contextmanager
def at_place(place: str) -> Iterator[None]:
    """Name what runs within, for what it finds."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)
