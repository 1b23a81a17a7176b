"""Checks of sizes that only running tells: what no kernel may take for something else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..compiler.graph.ir import Node, Value
from ..compiler.graph.types import TensorType, is_static
from ..compiler.inference.call_checks import check_shapes, is_checked
from ..compiler.inference.list_forms import checked_places

Function = Callable[..., Any]


def checked(node: Node, function: Function) -> Function:
    """Let a step refuse sizes and lists that do not fit its node, told as while compiling.

    It looks where they were unknown then, and anew only when they change.
    """
    types = [v.type for v in node.inputs if v is not None]
    known = all(is_static(t.shape) for t in types if isinstance(t, TensorType))
    places = [k for k in checked_places(node) if _is_fed(node.input(k))]
    if known and not places or not is_checked(node):
        return function
    count, last = len(node.inputs), None

    def run(*arguments: Any) -> Any:
        nonlocal last
        shapes = [getattr(a, "shape", None) for a in arguments[:count]]
        lists = {k: a for k in places if isinstance(a := arguments[k], np.ndarray)}
        found = [shapes, *(a.tolist() for a in lists.values())] if lists else shapes
        if found != last:
            inputs = [
                _known(v, shape, lists.get(k))
                for k, (v, shape) in enumerate(zip(node.inputs, shapes, strict=True))
            ]
            check_shapes(replace(node, inputs=tuple(inputs)))
            last = found
        return function(*arguments)

    return run


def _is_fed(value: Value | None) -> bool:
    """Tell whether nothing is known of what a list holds."""
    return value is not None and value.constant is None and value.elements is None


def _known(
    value: Value | None, shape: tuple[int, ...] | None, numbers: np.ndarray | None
) -> Value | None:
    if value is None or shape is None or not isinstance(value.type, TensorType):
        return value
    held = value.constant if numbers is None else numbers
    return Value(value.name, TensorType(value.dtype, shape), held)
