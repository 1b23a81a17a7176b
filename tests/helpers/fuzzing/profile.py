"""What programs a law is tried on; it draws none."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """What programs a law is tried on.

    Attributes:
        dtypes: element types of floats, the first of which leaves mostly have.
        worlds: how many sets of symbolic sizes a program is drawn for.
        nodes: the fewest and the most calls that are tried.
        depth: how deep control flow nests.
        empty: whether sizes may be 0.
        unranked: how often an input or a state is declared without a rank.
        odd_names: whether leaves and outputs may have names that look like others' own.
        without: operators that are left out.
    """

    dtypes: tuple[str, ...] = ("float64",)
    worlds: int = 2
    nodes: tuple[int, int] = (5, 20)
    depth: int = 2
    empty: bool = True
    unranked: float = 0.0
    odd_names: bool = False
    without: frozenset[str] = frozenset()
