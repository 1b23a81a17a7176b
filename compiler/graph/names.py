"""The names taken in a model: claimed, given back, made fresh."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ..errors import GraphError


def is_text(given: str) -> bool:
    """Tell whether a str can be written to a file; halves of surrogate pairs cannot."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Give the names that are like one that is unknown, the likest first."""
    return get_close_matches(name, list(known), n=3)


def suggestion(name: str, known: Iterable[str], most: int = 8) -> str:
    """End an error about an unknown name: with names that are like it, or else with some."""
    names = list(known)
    if close := nearest(name, names):
        return f"; did you mean {' or '.join(map(repr, close))}?"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"; there are {', '.join(names[:most])}{more}" if names else ""


class Names:
    """The names taken in one model, over all its scopes."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._promised: set[str] = set()
        self._counts: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def claim(self, name: str) -> None:
        """Take a name; an error if it is taken or none."""
        if not (isinstance(name, str) and name and is_text(name)):
            raise GraphError(f"a name is a text that is not empty, got {name!r}")
        if name in self._taken:
            raise GraphError(f"the name '{name}' is used twice; names are unique in a model")
        self._taken.add(name)
        self._promised.discard(name)

    def claim_all(self, names: Sequence[str]) -> None:
        """Take names, all or none."""
        for k, name in enumerate(names):
            try:
                self.claim(name)
            except GraphError:
                for claimed in names[:k]:
                    self.release(claimed)
                raise

    def release(self, name: str) -> None:
        """Give a name back."""
        self._taken.discard(name)

    def fresh(self, wish: str) -> str:
        """Give `wish`, or `wish_1`, `wish_2`, … where it is taken; no name is given twice.

        It is not claimed: who asks for just this name may still have it.
        """
        name, count = wish, self._counts.get(wish, 0)
        while name in self._taken or name in self._promised:
            count += 1
            name = f"{wish}_{count}"
        self._counts[wish] = count
        self._promised.add(name)
        return name

    def copy(self) -> "Names":
        """Give an independent copy."""
        other = Names(self._taken)
        other._counts = dict(self._counts)
        return other
