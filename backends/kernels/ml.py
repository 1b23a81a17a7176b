"""Operators of ai.onnx.ml that are not arithmetic."""

from collections.abc import Sequence
from typing import Any

from .registry import Array, kernel


@kernel("OneHotEncoder", domain="ai.onnx.ml")
def one_hot_encoder(
    xp: Any,
    x: Array,
    cats_int64s: Sequence[int] = (),
    cats_strings: Sequence[str] = (),
    zeros: int = 1,
) -> Array:
    """Return, along a new last axis, 1 where an element is a category; floats lose their fractions.

    Without `zeros` every element must be one.
    """
    if x.dtype.kind == "O":
        categories = xp.asarray(cats_strings, dtype=object)
    else:
        x, categories = x.astype("int64"), xp.asarray(cats_int64s, dtype="int64")
    found = x[..., None] == categories
    if not zeros and not found.any(axis=-1).all():
        raise ValueError("an element is none of the categories, and zeros is 0")
    return found.astype("float32")
