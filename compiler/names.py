"""The names taken in a model: claimed, given back, made fresh."""

from collections.abc import Iterable

from .errors import GraphError


class Names:
    """The names taken in one model, over all its scopes."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._counts: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def claim(self, name: str) -> None:
        """Take a name; an error if it is taken."""
        if name in self._taken:
            raise GraphError(f"the name '{name}' is used twice; names are unique in a model")
        self._taken.add(name)

    def release(self, name: str) -> None:
        """Give a name back."""
        self._taken.discard(name)

    def fresh(self, wish: str) -> str:
        """Give `wish`, or `wish_1`, `wish_2`, … where it is taken; the name is not claimed."""
        if wish not in self._taken:
            return wish
        count = self._counts.get(wish, 0) + 1
        while f"{wish}_{count}" in self._taken:
            count += 1
        self._counts[wish] = count
        return f"{wish}_{count}"

    def copy(self) -> "Names":
        """Give an independent copy."""
        other = Names(self._taken)
        other._counts = dict(self._counts)
        return other
