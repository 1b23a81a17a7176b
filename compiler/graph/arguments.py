"""What callers hand in: graphs, mappings, arrays; each is taken, or refused with the reason."""

from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from reprlib import repr as shortened
from typing import Any

import numpy as np

from ..errors import GraphError
from .dims import is_name, is_sum, substitute
from .ir import Graph
from .names import is_text
from .types import ANONYMOUS, Dim, dtype_name, fresh_dim, onnx_dtype

_LARGEST = int(np.iinfo(np.int64).max)


def require_graph(given: Any) -> Graph:
    """Refuse what is not a Graph, such as a path or a ModelProto."""
    if isinstance(given, Graph):
        return given
    raise GraphError(f"a Graph is wanted, not {type(given).__name__}; load gives one, or b.build()")


def require_mapping(given: Any, what: str) -> Mapping[str, Any]:
    """Refuse what is not a mapping from names."""
    if isinstance(given, Mapping) and all(isinstance(key, str) for key in given):
        return given
    raise GraphError(f"{what} must be a dict with names as keys, not {shortened(given)}")


def optional_mapping(given: Any, what: str) -> Mapping[str, Any]:
    """Read a mapping from names, or None for an empty one."""
    return {} if given is None else require_mapping(given, what)


def optional_texts(given: Any, what: str) -> Mapping[str, str]:
    """Read a mapping from names to texts, or None for an empty one."""
    found = optional_mapping(given, what)
    return {name: require_text(text, f"{what}['{name}']") for name, text in found.items()}


def require_flag(given: Any, what: str) -> bool:
    """Refuse what is neither True nor False, though Python would take it for one."""
    if isinstance(given, bool | np.bool_):
        return bool(given)
    raise GraphError(f"{what} must be True or False, not {shortened(given)}")


def require_text(given: Any, what: str) -> str:
    """Refuse what is not text that a file can hold."""
    if isinstance(given, str) and is_text(given):
        return given
    raise GraphError(f"{what} must be a text, not {shortened(given)}")


def require_texts(given: Any, what: str) -> list[str]:
    """Read one name or several."""
    listed = [given] if isinstance(given, str) else given
    if isinstance(listed, list | tuple) and all(isinstance(name, str) for name in listed):
        return list(listed)
    raise GraphError(f"{what} must be a name or a list of names, not {shortened(given)}")


def is_iterable(given: Any) -> bool:
    """Tell whether something can be iterated; an array of no axis only looks as if it could."""
    return isinstance(given, Iterable) and getattr(given, "ndim", 1) != 0


def require_count(given: Any, what: str, least: int = 0) -> int:
    """Refuse what is not an integer, or a smaller one."""
    if isinstance(given, int | np.integer) and not isinstance(given, bool) and given >= least:
        return int(given)
    raise GraphError(f"{what} must be an integer of at least {least}, not {shortened(given)}")


def require_function(given: Any, what: str, count: int) -> Callable[..., Any]:
    """Refuse what cannot be called with so many arguments, as far as Python tells."""
    if not callable(given) or isinstance(given, type):
        raise GraphError(f"{what} must be a function, not {shortened(given)}")
    try:
        taken = signature(given)
    except ValueError:
        return given  # some of C's functions do not say
    try:
        taken.bind(*[None] * count)
    except TypeError:
        raise GraphError(f"{what} takes {taken}, but is called with {count} values") from None
    return given


def require_number(given: Any, what: str, least: float = -np.inf) -> float:
    """Refuse what is not a number, none that is finite, or a smaller one."""
    real = isinstance(given, int | float | np.integer | np.floating)
    real = real or isinstance(given, np.ndarray) and given.shape == () and given.dtype.kind in "iuf"
    if real and not isinstance(given, bool) and np.isfinite(float(given)) and given >= least:
        return float(given)
    bound = "" if least == -np.inf else f" of at least {least:g}"
    raise GraphError(f"{what} must be a finite number{bound}, not {shortened(given)}")


def as_dim(what: str, given: Any) -> Dim:
    """Read a dimension: a number, a name that is none of ours, or a sum of names.

    What is not a name, such as "?", is a size that nothing else has.
    """
    if isinstance(given, str) and given.strip().isdecimal():
        raise GraphError(f"{what}: {given!r} is a text; give the number without quotes")
    if isinstance(given, str) and given and is_text(given) and ANONYMOUS not in given:
        return given if is_name(given) else substitute(given, {}) if is_sum(given) else fresh_dim()
    if isinstance(given, int | np.integer) and 0 <= given <= _LARGEST:
        return int(given)
    raise GraphError(f"{what}: {given!r} is not a dimension; use a number, or a name for any size")


def as_array(given: Any, dtype: np.dtype | None = None) -> np.ndarray:
    """Read an array, a number, a text or nested lists of them as a tensor of `dtype`.

    Floats may round; a number that is not an integer, or too large for one, is never made one.

    Raises:
        GraphError: there is no such tensor.
    """
    try:
        data = np.asarray(given)
    except Exception as error:  # other libraries raise what they like: torch a RuntimeError
        raise _refusal(given, dtype, str(error)) from None
    if isinstance(given, np.ma.MaskedArray):
        raise _refusal(given, dtype, "what its mask hides would count; use its filled()")
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    if data.dtype.kind == "O" and not all(isinstance(v, str | bytes) for v in data.flat):
        raise _refusal(given, dtype, "it holds neither numbers nor texts alone, or too large ones")
    if data.dtype.kind in "OU" and not all(is_text(str(v)) for v in data.flat):
        raise _refusal(given, dtype, "it holds halves of surrogate pairs, which are not text")
    onnx_dtype(data.dtype)
    return data if dtype is None else _converted(given, data, dtype)


def _converted(given: Any, data: np.ndarray, dtype: np.dtype) -> np.ndarray:
    texts = data.dtype.kind in "OUS"
    if data.dtype == dtype or texts and dtype.kind in "OUS":
        return data
    if texts or dtype.kind in "OUS" or data.dtype.kind == "c" and dtype.kind != "c":
        raise _refusal(given, dtype, f"it is {dtype_name(data.dtype)}")
    with np.errstate(invalid="ignore"):  # NaN is not an integer: found out below
        converted = data.astype(dtype)
    if dtype.kind in "iub" and not (converted == data).all():
        raise _refusal(given, dtype, "it would change; use op.Cast for floats, or a wider dtype")
    return converted


def _refusal(given: Any, dtype: np.dtype | None, reason: str) -> GraphError:
    wanted = "a tensor" if dtype is None else f"a tensor of {dtype_name(dtype)}"
    return GraphError(f"{shortened(given)} cannot be {wanted}: {reason}")
