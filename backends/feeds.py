"""Check what a user feeds against a graph's inputs; it converts only Python numbers and lists."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..compiler.errors import GraphError
from ..compiler.ir import Value
from ..compiler.types import TensorType, dtype_name


def check_feeds(inputs: Sequence[Value], feeds: Mapping[str, Any]) -> list[Any]:
    """Give the fed arrays in the order of the inputs.

    An input that has a constant is optional: the constant is its default.

    Raises:
        GraphError: missing or surplus names, a wrong dtype, rank or dimension, or two sizes for
            one symbolic dimension.
    """
    known = {v.name for v in inputs}
    surplus = [name for name in feeds if name not in known]
    missing = [v.name for v in inputs if v.name not in feeds and v.constant is None]
    if surplus or missing:
        said = [f"missing: {', '.join(missing)}"] if missing else []
        said += [f"not an input: {', '.join(surplus)}"] if surplus else []
        takes = ", ".join(f"{v.name}: {v.type}" for v in inputs) or "nothing"
        raise GraphError(f"{'; '.join(said)}. The graph takes {takes}")
    sizes: dict[str, tuple[int, str]] = {}
    return [_check(v, feeds.get(v.name, v.constant), sizes) for v in inputs]


def _check(value: Value, given: Any, sizes: dict[str, tuple[int, str]]) -> Any:
    type_ = value.type
    if not isinstance(type_, TensorType):
        return given
    if isinstance(given, np.generic):
        given = np.asarray(given)
    if not hasattr(given, "dtype"):
        try:
            given = np.asarray(given, type_.dtype)
        except (TypeError, ValueError):
            raise GraphError(f"'{value.name}' wants {type_}, got {type(given).__name__}") from None
    if isinstance(given, np.generic):
        given = np.asarray(given)
    if given.dtype != type_.dtype and not (given.dtype.kind in "OUS" and type_.dtype.kind == "O"):
        got = dtype_name(given.dtype)
        raise GraphError(f"'{value.name}' wants {type_}, got {got}; convert it with .astype")
    if type_.shape is None:
        return given
    fits = len(given.shape) == len(type_.shape)
    for dim, size in zip(type_.shape, given.shape, strict=False):
        if isinstance(dim, int):
            fits = fits and dim == size
        elif sizes.setdefault(dim, (size, value.name))[0] != size:
            other, name = sizes[dim]
            raise GraphError(
                f"the dimension {dim} is {other} in '{name}', {size} in '{value.name}'"
            )
    if not fits:
        raise GraphError(f"'{value.name}' wants {type_}, got the shape {tuple(given.shape)}")
    return given
