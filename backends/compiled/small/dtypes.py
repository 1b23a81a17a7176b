"""Expressions of elements of several dtypes within one source.

Formulas name functions and numbers of the dtype at hand; in a source their names end in it.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....compiler.graph.ir import Node
from ..formulas import DTYPES, FORMULAS, expression
from ..scalars import SCALARS

_BOOL, _INT32, _INT64 = np.dtype(bool), np.dtype(np.int32), np.dtype(np.int64)

ELEMENTS = {_BOOL, _INT32, _INT64, *DTYPES}
"""The dtypes of what small graphs hold."""

_OF_INTEGERS: dict[str, list[set[np.dtype]]] = {
    **dict.fromkeys(("Add", "Mul", "Sub"), [{_INT64}]),
    **dict.fromkeys(
        ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), [{_INT64}, {_INT32}]
    ),
    "Where": [{_BOOL, _INT64}],
}
"""Operators whose formulas are right for integers, too, and the dtypes that they read then."""

FUNCTIONS = re.compile(
    rf"\b({'|'.join(name for name, held in SCALARS['float64'].items() if callable(held))})\("
)
"""A call of a function whose numbers have a dtype."""


def formula_of(node: Node, names: Sequence[str]) -> str | None:
    """Give the formula of a node, None where there is none."""
    kinds = {v.dtype for v in node.reads()}
    if kinds in _OF_INTEGERS.get(node.operator, ()):
        return FORMULAS["", node.op_type](node, *names)
    return expression(node, names)


def of_dtype(text: str, dtype: np.dtype | None) -> str:
    """Let functions that a text calls be those of a dtype."""
    return FUNCTIONS.sub(rf"\1_{dtype}(", text)


def namespace() -> dict[str, Any]:
    """Give what a source names."""
    functions = {
        f"{name}_{dtype}": held
        for dtype in DTYPES
        for name, held in SCALARS[dtype.name].items()
        if callable(held)
    }
    dtypes = {dtype.name: dtype.type for dtype in ELEMENTS}
    return {**functions, **dtypes, "empty": np.empty, "inf": math.inf, "nan": math.nan}
