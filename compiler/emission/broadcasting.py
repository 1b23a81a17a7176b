"""Undo broadcasting: sum a gradient to the shape of the value that was broadcast."""

from ..graph.ir import Value
from ..graph.types import TensorType
from .accumulation import accumulate
from .ops import Ops


def reduce_to(op: Ops, dy: Value, x: Value) -> Value:
    """Sum `dy` over the axes along which `x` was broadcast to it.

    Decided while compiling where the shapes allow; an axis that may have been broadcast at run
    time is left to the composite ReduceToShape.
    """
    if dy.shape == x.shape and x.shape is not None:
        return dy
    if dy.shape is None or x.shape is None or _undecided(dy.shape, x.shape):
        return op.composite("ReduceToShape", dy, op.Shape(x), types=[TensorType(dy.dtype, x.shape)])
    extra = len(dy.shape) - len(x.shape)
    kept = zip(dy.shape[extra:], x.shape, strict=True)
    stretched = [k for k, (d, n) in enumerate(kept, extra) if n == 1 != d]
    if not stretched:
        return accumulate(op, dy, list(range(extra)), keepdims=0) if extra else dy
    dy = accumulate(op, dy, [*range(extra), *stretched], keepdims=1)
    return op.Squeeze(dy, list(range(extra))) if extra else dy


def _undecided(wide: tuple[int | str, ...], narrow: tuple[int | str, ...]) -> bool:
    wide = wide[len(wide) - len(narrow) :]
    return any(isinstance(n, str) and d != n for d, n in zip(wide, narrow, strict=True))
