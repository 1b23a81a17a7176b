"""Checks of sizes that only running tells: what no kernel may take for something else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..compiler.graph.ir import Node, Value
from ..compiler.graph.types import TensorType, is_static
from ..compiler.inference.call_checks import check_shapes, is_checked

Function = Callable[..., Any]


def checked(node: Node, function: Function) -> Function:
    """Let a step refuse sizes that do not fit its node, told as while compiling.

    It looks where a size was unknown then, and anew only when sizes change.
    """
    types = [v.type for v in node.inputs if v is not None]
    known = all(is_static(t.shape) for t in types if isinstance(t, TensorType))
    if known or not is_checked(node):
        return function
    count, last = len(node.inputs), None

    def run(*arguments: Any) -> Any:
        nonlocal last
        shapes = [getattr(a, "shape", None) for a in arguments[:count]]
        if shapes != last:
            pairs = zip(node.inputs, shapes, strict=True)
            check_shapes(replace(node, inputs=tuple(_sized(v, s) for v, s in pairs)))
            last = shapes
        return function(*arguments)

    return run


def _sized(value: Value | None, shape: tuple[int, ...] | None) -> Value | None:
    if value is None or shape is None or not isinstance(value.type, TensorType):
        return value
    return Value(value.name, TensorType(value.dtype, shape), value.constant)
