"""A law: what it is tried on and how it is checked."""

from collections.abc import Callable
from dataclasses import dataclass

from ..case import Case
from ..profile import Profile
from ..program import Program


@dataclass(frozen=True)
class Law:
    """One law.

    Attributes:
        letter: what it is called on the command line.
        title: what it says.
        profile: what programs of a seed are like.
        check: returns where the law holds.
        prepare: makes of the program that is drawn the one that the law is tried on.
    """

    letter: str
    title: str
    profile: Callable[[int], Profile]
    check: Callable[[Case], None]
    prepare: Callable[[Program], Program] = lambda program: program


SMOOTH = Profile(unranked=0.02)
"""Programs in float64, for laws about numbers."""

PRECISIONS = (
    ("float32",),
    ("float32",),
    ("float32",),
    ("float64",),
    ("float32", "float64"),
    ("float32", "float16"),
    ("float16", "float32"),
    ("float32", "bfloat16"),
)


def smooth(seed: int) -> Profile:
    """Give programs in float64."""
    return SMOOTH


def any_precision(seed: int) -> Profile:
    """Give programs in all precisions and their mixtures."""
    return Profile(dtypes=PRECISIONS[seed % len(PRECISIONS)], odd_names=seed % 5 == 0)
