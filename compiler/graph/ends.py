"""The inputs or outputs of a graph: a list that knows at once whether a value is in it."""

from collections import Counter
from collections.abc import Iterable, Iterator, MutableSequence
from typing import Any, TypeVar, overload

T = TypeVar("T")


class Ends(MutableSequence[T]):
    """A list of thousands of gradients is searched for each node that is rewritten."""

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items = list(items)
        self._counts = Counter(self._items)

    def __contains__(self, item: object) -> bool:
        return item in self._counts

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self._items[index]

    def __setitem__(self, index: Any, item: Any) -> None:
        self._items[index] = item
        self._counts = Counter(self._items)

    def __delitem__(self, index: int | slice) -> None:
        del self._items[index]
        self._counts = Counter(self._items)

    def __add__(self, other: Iterable[T]) -> list[T]:
        return [*self._items, *other]

    def __radd__(self, other: Iterable[T]) -> list[T]:
        return [*other, *self._items]

    def insert(self, index: int, value: T) -> None:
        """Insert a value before an index."""
        self._items.insert(index, value)
        self._counts[value] += 1

    def count(self, value: Any) -> int:
        """Count how often a value is in the list."""
        return self._counts[value]

    def __eq__(self, other: object) -> bool:
        return self._items == (other._items if isinstance(other, Ends) else other)

    def __repr__(self) -> str:
        return repr(self._items)
