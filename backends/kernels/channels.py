"""Sums over the pixels of images whose channels lie side by side, as our convolutions give them."""

import math
from typing import Any

from .registry import Array


def is_channels_last(x: Array) -> bool:
    """Tell whether the channels of x: (batch, channels, …) lie side by side, in order."""
    return x.ndim > 2 and bool(x.transpose(0, *range(2, x.ndim), 1).flags.c_contiguous)


def image_sums(xp: Any, x: Array) -> Array:
    """Sum x: (batch, channels, …) to (batch, channels). An x: (batch,) has one channel.

    A product with ones is several times as fast as adding up, and an image by itself rounds less.
    """
    if x.ndim == 1:
        return x[:, None]
    if not is_channels_last(x) or x.dtype.kind != "f":
        return xp.add.reduce(x, axis=tuple(range(2, x.ndim)))
    pixels = math.prod(x.shape[2:])
    rows = x.transpose(0, *range(2, x.ndim), 1).reshape(len(x), pixels, x.shape[1])
    return xp.matmul(xp.ones(pixels, x.dtype), rows)
