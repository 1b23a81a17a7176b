"""What the fuzzer knows of an operator: how to draw a call of it, and its formula in NumPy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .scope import Scope


def f32(number: float) -> float:
    """Give a number as attributes hold it: rounded to float32."""
    return float(np.float32(number))


class Unsuitable(Exception):
    """A call that the standard or the numbers do not allow here; draw another."""


Draw = Callable[["Scope"], Any]
"""Adds one call to what is drawn so far, or raises Unsuitable."""


@dataclass(frozen=True)
class Operator:
    """One operator.

    Attributes:
        draw: adds one call of it.
        forward: its outputs, of inputs (None where omitted) and attributes; floats are float64.
        distance: how far its inputs are from its kinks and jumps.
        run: in place of `forward` for operators with bodies: of evaluator, call and values.
        weight: how often it is drawn, relative to others.
    """

    name: str
    draw: Draw
    forward: Callable[..., Any]
    distance: Callable[..., Any] | None = None
    run: Callable[..., list[Any]] | None = None
    weight: float = 1.0


OPERATORS: dict[str, Operator] = {}
"""Every operator that the fuzzer knows; the families fill it."""

DRAWS: list[tuple[Draw, float, str]] = []
"""What adds calls, how often, and the operator it is about."""


def register(*operators: Operator) -> None:
    """Add operators to the tables."""
    for operator in operators:
        OPERATORS[operator.name] = operator
        draw_also(operator.name, operator.draw, operator.weight)


def draw_also(name: str, draw: Draw, weight: float) -> None:
    """Draw an operator in another way, too."""
    DRAWS.append((draw, weight, name))
