"""Checks of sizes that only running tells: what no kernel may take for something else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..compiler.errors import GraphError
from ..compiler.graph.ir import Node, Value
from ..compiler.graph.types import TensorType, Type, is_static
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


def with_checked_results(node: Node, kernel: Function, function: Function) -> Function:
    """Refuse what a user's kernel gives where it does not fit the types of its node."""
    who = f"the kernel {getattr(kernel, '__qualname__', kernel)} of {node.label}"

    def run(*arguments: Any) -> Any:
        given = function(*arguments)
        results = given if isinstance(given, tuple) else (given,)
        wanted = [v for v in node.outputs if v is not None]
        if len(results) < len(wanted):
            raise GraphError(f"{who} gave {len(results)} results, not {len(wanted)}")
        for value, result in zip(node.outputs, results, strict=False):
            if value is not None and not _fits(result, value.type):
                got = f"{getattr(result, 'dtype', type(result).__name__)}"
                raise GraphError(
                    f"{who} gave {got}{list(getattr(result, 'shape', ()))} for '{value.name}', "
                    f"which is {value.type}"
                )
        return given

    return run


def _fits(result: Any, type_: Type) -> bool:
    if not isinstance(type_, TensorType):
        return True
    if not hasattr(result, "dtype") or result.dtype != type_.dtype:
        return False
    if type_.shape is None:
        return True
    pairs = zip(type_.shape, result.shape, strict=False)
    return len(type_.shape) == len(result.shape) and all(
        isinstance(dim, str) or dim == size for dim, size in pairs
    )


def _sized(value: Value | None, shape: tuple[int, ...] | None) -> Value | None:
    if value is None or shape is None or not isinstance(value.type, TensorType):
        return value
    return Value(value.name, TensorType(value.dtype, shape), value.constant)
