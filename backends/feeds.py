"""Check what a user feeds against a graph's inputs; arrays keep their dtype, all else converts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..compiler.errors import GraphError
from ..compiler.graph.arguments import as_array, require_mapping
from ..compiler.graph.dims import evaluate
from ..compiler.graph.ir import Value
from ..compiler.graph.types import OptionalType, SequenceType, TensorType, Type, dtype_name

_PLAIN = frozenset("biufc")

Sizes = dict[str, tuple[int, str]]
"""The size of each symbolic dimension met so far, and in which input."""


def check_feeds(inputs: Sequence[Value], feeds: Mapping[str, Any]) -> list[Any]:
    """Give the fed arrays in the order of the inputs.

    An input that has a constant is optional: the constant is its default.

    Raises:
        GraphError: missing or surplus names, a wrong dtype, rank or dimension, or two sizes for
            one symbolic dimension.
    """
    feeds = require_mapping(feeds, "feeds")
    if len(feeds) != len(inputs) or not all([v.name in feeds for v in inputs]):
        _check_names(inputs, feeds)
    sizes: Sizes = {}
    arrays = [_check(v.name, v.type, feeds.get(v.name, v.constant), sizes) for v in inputs]
    _check_sums(sizes)
    return arrays


def _check_names(inputs: Sequence[Value], feeds: Mapping[str, Any]) -> None:
    known = {v.name for v in inputs}
    surplus = [name for name in feeds if name not in known]
    missing = [v.name for v in inputs if v.name not in feeds and v.constant is None]
    if surplus or missing:
        said = [f"missing: {', '.join(missing)}"] if missing else []
        said += [f"not an input: {', '.join(surplus)}"] if surplus else []
        takes = ", ".join(f"{v.name}: {v.type}" for v in inputs) or "nothing"
        raise GraphError(f"{'; '.join(said)}. The graph takes {takes}")


def _check_sums(sizes: Sizes) -> None:
    """Refuse a size that is a sum of others, such as "past+1", and is not what they sum up to."""
    known = {dim: size for dim, (size, _) in sizes.items()}
    for dim, (size, name) in sizes.items():
        wanted = size if dim.isidentifier() else evaluate(dim, known)
        if wanted is not None and wanted != size:
            raise GraphError(f"the dimension {dim} of '{name}' is {size}; it must be {wanted}")


def _check(name: str, type_: Type, given: Any, sizes: Sizes) -> Any:
    if type(given) is np.ndarray and type(type_) is TensorType:  # most are just what they must be
        if given.shape == type_.shape and given.dtype is type_.dtype and given.dtype.kind in _PLAIN:
            return given
    if isinstance(type_, OptionalType):
        return None if given is None else _check(name, type_.element, given, sizes)
    if isinstance(type_, SequenceType):
        if not isinstance(given, list | tuple):
            raise GraphError(f"'{name}' wants {type_}, a list, got {type(given).__name__}")
        return [_check(f"{name}[{k}]", type_.element, v, {}) for k, v in enumerate(given)]
    given = _as_tensor(name, type_, given)
    if given.dtype != type_.dtype and not (given.dtype.kind in "OUS" and type_.dtype.kind == "O"):
        got = dtype_name(given.dtype)
        raise GraphError(f"'{name}' wants {type_}, got {got}; convert it with .astype")
    if type_.shape is None:
        return given
    fits = len(given.shape) == len(type_.shape)
    for dim, size in zip(type_.shape, given.shape, strict=False):
        if isinstance(dim, int):
            fits = fits and dim == size
        elif sizes.setdefault(dim, (size, name))[0] != size:
            other, first = sizes[dim]
            raise GraphError(f"the dimension {dim} is {other} in '{first}', {size} in '{name}'")
    if not fits:
        raise GraphError(f"'{name}' wants {type_}, got the shape {tuple(given.shape)}")
    return given


def _as_tensor(name: str, type_: TensorType, given: Any) -> Any:
    """Give an array for what is none; what its library leaves on a device stays what it is.

    What another library can bring to NumPy must not meet a kernel as it is: pandas adds up rows by
    their labels, not in order.
    """
    plain = not hasattr(given, "dtype")
    try:
        given = given if plain or isinstance(given, np.ndarray) else np.asarray(given)
    except Exception as error:  # CuPy raises TypeError, torch RuntimeError, others what they like
        if isinstance(given.dtype, np.dtype) and isinstance(getattr(given, "shape", None), tuple):
            return given
        raise GraphError(f"'{name}' wants {type_}; it is no array of NumPy: {error}") from None
    try:
        return as_array(given, type_.dtype if plain else None)
    except GraphError as error:
        raise GraphError(f"'{name}' wants {type_}: {error}") from None
