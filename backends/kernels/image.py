"""Kernels that put images together."""

import math
from collections.abc import Sequence
from typing import Any

from .precision import widened
from .registry import Array, kernel
from .windows import windows


@kernel("Col2Im")
@widened
def col_to_im(
    xp: Any,
    x: Array,
    image_shape: Array,
    block_shape: Array,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Array:
    """Add up columns, each a block of an image: (batch, channels · block, blocks)."""
    sizes, block = image_shape.tolist(), block_shape.tolist()
    over = windows(sizes, block, strides, dilations, pads)
    channels = x.shape[1] // max(math.prod(block), 1)
    columns = x.reshape(x.shape[0], channels, *block, *over.outputs)
    whole = [n + b + e for n, b, e in zip(sizes, over.begins, over.ends, strict=True)]
    y = xp.zeros((x.shape[0], channels, *whole), x.dtype)
    for tap, part in over.taps():
        y[(..., *part)] += columns[(slice(None), slice(None), *tap)]
    inside = (slice(b, b + n) for n, b in zip(sizes, over.begins, strict=True))
    return y[(..., *inside)]
