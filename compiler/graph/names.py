"""The names taken in a model: claimed, given back, made fresh."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

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
    names = list(known)
    if close := get_close_matches(name, names, n=3):
        return close
    folded = get_close_matches(name.casefold(), {n.casefold() for n in names}, n=3)
    return [n for f in folded for n in names if n.casefold() == f][:3]


def suggestion(name: str, known: Iterable[str], most: int = 8) -> str:
    """End an error about an unknown name: with names that are like it, or else with `most`."""
    names = list(known)
    if close := nearest(name, names):
        return f"; did you mean {' or '.join(map(repr, close))}?"
    if most and len(names) == most + 1:
        most += 1  # one name is no longer than to say that there is one more
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"; there are {', '.join(names[:most])}{more}" if names and most else ""


def without_attribute(module: Mapping[str, Any]) -> Callable[[str], NoReturn]:
    """Give what a module, of which these are the globals, says about names that it lacks."""

    def refuse(name: str) -> NoReturn:
        home = module["__name__"]
        own = [n for n, v in module.items() if getattr(v, "__module__", None) == home]
        known = module.get("__all__", [n for n in own if not n.startswith("_")])
        said = suggestion(name, known, most=0)
        raise AttributeError(f"module '{home}' has no attribute '{name}'{said}", name=name)

    return refuse


class Names:
    """The names taken in one model, over all its scopes.

    A name that a file or a user chose is claimed; one that the compiler makes up is asked for by
    `fresh`, keeps clear of what a file has still in store, and gives way to a user's.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._promised: set[str] = set()
        self._made_up: set[str] = set()
        self._counts: dict[str, int] = {}
        self._expected: frozenset[str] = frozenset()
        self._expected_inside: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def expect(self, names: Iterable[str], inside: Iterable[str]) -> None:
        """Keep names for the values of a file, and of its subgraphs, until they are read."""
        self._expected, self._expected_inside = frozenset(names), frozenset(inside)

    def claim(self, name: str) -> None:
        """Take a name; an error if it is taken or none."""
        if not (isinstance(name, str) and name and is_text(name)):
            raise GraphError(f"a name is a text that is not empty, got {name!r}")
        if name in self._taken:
            raise GraphError(f"the name '{name}' is used twice; names are unique in a model")
        self._taken.add(name)
        if name in self._promised:
            self._promised.discard(name)
            self._made_up.add(name)

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
        self._made_up.discard(name)

    def is_made_up(self, name: str) -> bool:
        """Tell whether the compiler chose a name that is taken."""
        return name in self._made_up

    def keep(self, name: str) -> None:
        """Let a name count as chosen, so that it gives way to no other."""
        self._made_up.discard(name)

    def give_way(self, name: str) -> None:
        """Let a name that is taken count as made up, so that a user may still have it."""
        self._made_up.add(name)

    def fresh(self, wish: str) -> str:
        """Give `wish`, or `wish_1`, `wish_2`, … where it is taken; no name is given twice.

        It is not claimed: who asks for just this name may still have it.
        """
        return self._free(wish, (self._expected, self._expected_inside))

    def inside(self, wish: str) -> str:
        """Give the name of a file's value in a subgraph; another scope may have taken it."""
        return self._free(wish, (self._expected,))

    def _free(self, wish: str, kept: Sequence[frozenset[str]]) -> str:
        name, count = wish, self._counts.get(wish, 0)
        while name in self._taken or name in self._promised or any(name in k for k in kept):
            count += 1
            name = f"{wish}_{count}"
        self._counts[wish] = count
        self._promised.add(name)
        return name

    def copy(self) -> "Names":
        """Give an independent copy."""
        other = Names(self._taken)
        other._made_up = set(self._made_up)
        other._counts = dict(self._counts)
        other._expected, other._expected_inside = self._expected, self._expected_inside
        return other
