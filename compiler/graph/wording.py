"""How messages write the settings of a node; it decides nothing."""

from collections.abc import Mapping
from reprlib import Repr
from typing import Any

from .ir import Graph

_SHORT = Repr()
_SHORT.maxlist = 10


def counted(count: int, noun: str) -> str:
    """Write how many there are: "1 input", "2 inputs"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def settings(attributes: Mapping[str, Any]) -> str:
    """Write attributes that are not graphs: "axis=1, pads=[0, 1]"; "" where there are none."""
    plain = {k: v for k, v in attributes.items() if not isinstance(v, Graph)}
    return ", ".join(f"{k}={_SHORT.repr(v)}" for k, v in plain.items())
