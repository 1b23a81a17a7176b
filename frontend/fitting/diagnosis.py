"""Find where a training step first computes what is not finite."""

from collections.abc import Mapping

import numpy as np

from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import TensorType, is_float

from ..running import compile

Arrays = Mapping[str, np.ndarray]


def is_finite(array: np.ndarray) -> bool:
    """Tell whether all elements are finite numbers."""
    if array.dtype.kind in "iub":
        return True
    return bool(np.isfinite(array if array.dtype.kind == "f" else array.astype(np.float64)).all())


def first_not_finite(step: Graph, state: Arrays, feeds: Arrays) -> str | None:
    """Say which value is the first to hold NaN or an infinity, and what computes it from what.

    The step is run on NumPy with every value as an output. None: there it stays finite.
    """
    for name, array in {**feeds, **state}.items():
        if not is_finite(array):
            return f"'{name}', which is fed, holds {_what(array)}"
    graph = step.copy()
    nodes = graph.nodes()
    graph.outputs = list(dict.fromkeys(v for n in nodes for v in n.writes() if _is_float(v)))
    found = compile(graph).run({**state, **feeds})
    for node in nodes:
        for value in node.writes():
            if value.name in found and not is_finite(found[value.name]):
                return f"{_described(node, value)} is the first to hold {_what(found[value.name])}"
    return None


def _described(node: Node, value: Value) -> str:
    read = ", ".join(f"'{v.name}'" for v in node.reads())
    return f"'{value.name}' = {node.operator}({read})"


def _is_float(value: Value) -> bool:
    return isinstance(value.type, TensorType) and is_float(value.dtype)


def _what(array: np.ndarray) -> str:
    return "NaN" if np.isnan(array.astype(np.float64)).any() else "an infinity"
