"""Texts, which are objects of Python; on any backend they stay on the host."""

from collections.abc import Callable, Sequence
from typing import Any

from .registry import Array, kernel


@kernel("StringNormalizer")
def string_normalizer(
    xp: Any,
    x: Array,
    case_change_action: str = "NONE",
    is_case_sensitive: int = 0,
    locale: str = "",
    stopwords: Sequence[str] = (),
) -> Array:
    """Drop the texts that are stopwords, then change the case of the others; "" if none is left.

    x: (texts) or (1, texts).
    """
    changes: dict[str, Callable[[str], str]] = {
        "LOWER": str.lower,
        "UPPER": str.upper,
        "NONE": str,
    }
    compared = changes["NONE" if is_case_sensitive else "LOWER"]
    dropped = {compared(word) for word in stopwords}
    kept = [text for text in x.ravel().tolist() if compared(text) not in dropped]
    texts = [changes[case_change_action](text) for text in kept] or [""]
    return xp.asarray(texts, dtype=object).reshape((*x.shape[:-1], -1))


@kernel("StringSplit")
def string_split(xp: Any, x: Array, delimiter: str = "", maxsplit: int = -1) -> tuple[Array, Array]:
    """Split each text at a delimiter, or at white space; return the parts and their counts.

    Parts lie along a new last axis, padded with "".
    """
    parts = [
        text.split(delimiter, maxsplit) if delimiter else text.strip().split(None, maxsplit)
        for text in x.ravel().tolist()
    ]
    counts = [len(found) for found in parts]
    width = max(counts, default=0)
    padded = [found + [""] * (width - len(found)) for found in parts]
    texts = xp.asarray(padded, dtype=object).reshape((*x.shape, width))
    return texts, xp.asarray(counts, dtype="int64").reshape(x.shape)
