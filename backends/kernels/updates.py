"""Updates of optimizers, block by block: each array goes through memory once."""

from typing import Any

from .blocks import BLOCK_BYTES
from .registry import Array, composite_kernel


@composite_kernel("AdamUpdate")
def adam_update(
    xp: Any,
    w: Array,
    dw: Array,
    m: Array,
    v: Array,
    rate: Array,
    least: Array,
    decay: Array = None,
    b1: float = 0.9,
    b2: float = 0.999,
    in_place: bool = False,
) -> tuple[Array, Array, Array]:
    """Return w·decay - rate·m' / (√v' + least), m' = b1·m + (1 - b1)·dw and v', likewise of dw².

    In place they are written over w, m and v, which are contiguous then.
    """
    first, second, keep1, keep2 = (w.dtype.type(n) for n in (b1, b2, 1 - b1, 1 - b2))
    results = (w, m, v) if in_place else tuple(xp.empty(w.shape, w.dtype) for _ in range(3))
    flat = [xp.ascontiguousarray(a).reshape(-1) for a in (w, dw, m, v)]
    outs = [a.reshape(-1) for a in results]
    size = BLOCK_BYTES // w.itemsize if xp.__name__ == "numpy" else max(w.size, 1)
    spare = xp.empty((2, min(size, w.size)), w.dtype)
    for start in range(0, w.size, size):
        block = slice(start, start + size)
        old, slope, mean, square = (a[block] for a in flat)
        new, new_mean, new_square = (a[block] for a in outs)
        part, change = spare[:, : len(old)]
        xp.multiply(mean, first, out=new_mean)
        xp.multiply(slope, keep1, out=part)
        new_mean += part
        xp.multiply(square, second, out=new_square)
        xp.multiply(slope, slope, out=part)
        part *= keep2
        new_square += part
        xp.sqrt(new_square, out=part)
        part += least
        xp.multiply(new_mean, rate, out=change)
        change /= part
        xp.subtract(old if decay is None else xp.multiply(old, decay, out=part), change, out=new)
    return results
