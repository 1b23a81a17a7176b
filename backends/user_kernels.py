"""Kernels of users: what they are given cannot be written to, what they give fits their node."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..compiler.errors import GraphError, OnnxgradError
from ..compiler.graph.ir import Node
from ..compiler.graph.types import SequenceType, TensorType, Type
from ..compiler.standard.schemas import find_schema
from .kernels.registry import KernelDoesNotApply

Function = Callable[..., Any]


def guarded(node: Node, kernel: Function, function: Function) -> Function:
    """Give a function that runs a user's kernel for a node, and names it in every error.

    The arrays that are fed, or that other nodes read, stay what they are: on the host the inputs
    are views that are read-only, and a result that shows one is copied; CuPy has no such views, so
    there the inputs are copies.
    """
    who = f"the kernel {getattr(kernel, '__qualname__', kernel)} of {node.label}"
    schema = find_schema(node.op_type, node.domain)
    assert schema is not None
    most = schema.max_output
    least = max((k + 1 for k, v in enumerate(node.outputs) if v is not None), default=0)

    def run(*arguments: Any) -> Any:
        try:
            given = function(*map(_protected, arguments))
        except (OnnxgradError, KernelDoesNotApply, MemoryError):
            raise
        except Exception as error:  # whatever a user's code raises
            message = f"{who} failed: {type(error).__name__}: {error}"
            if "read-only" in str(error):
                message += "; the inputs of a kernel are read-only: let it make new arrays"
            raise GraphError(message) from error
        results = given if isinstance(given, tuple) else (given,)
        if not least <= len(results) <= most:
            raise GraphError(
                f"{who} gave {len(results)} results, not {least}; it gives an array, or a tuple "
                "of several"
            )
        for value, result in zip(node.outputs, results, strict=False):
            if value is not None and not _fits(result, value.type):
                raise GraphError(
                    f"{who} gave {_told(result)} for '{value.name}', which is {value.type}"
                )
        return tuple(map(_own, results))

    return run


def _protected(given: Any) -> Any:
    if isinstance(given, list):
        return [_protected(a) for a in given]
    if not isinstance(given, np.ndarray):
        return given.copy() if hasattr(given, "copy") else given
    view = given.view()
    view.flags.writeable = False
    return view


def _own(result: Any) -> Any:
    """Copy what may be an input, or a view of one."""
    if isinstance(result, list):
        return [_own(a) for a in result]
    shown = isinstance(result, np.ndarray) and not result.flags.writeable
    return result.copy() if shown else result


def _fits(result: Any, type_: Type) -> bool:
    if isinstance(type_, SequenceType):
        return isinstance(result, list) and all(_fits(a, type_.element) for a in result)
    if not isinstance(type_, TensorType):
        return result is None or _fits(result, type_.element)
    if not hasattr(result, "dtype") or result.dtype != type_.dtype:
        return False
    if type_.shape is None:
        return True
    pairs = zip(type_.shape, result.shape, strict=False)
    return len(type_.shape) == len(result.shape) and all(
        isinstance(dim, str) or dim == size for dim, size in pairs
    )


def _told(result: Any) -> str:
    if hasattr(result, "dtype") and hasattr(result, "shape"):
        return f"{result.dtype}{list(result.shape)}"
    if result is None:
        return "None"
    return f"a {type(result).__name__}"
