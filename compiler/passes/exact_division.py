"""Narrow integers divided, and their bits shifted, without a rest, which some runtimes round.

On OpenVINO 2026.4 217 >> 4 came out 14, and so did weights of 4 bits that were taken apart. What
leaves no rest, and does not overflow, it gives exactly.
"""

from ..emission.ops import Ops
from ..graph.ir import Node, Value
from ..interchange.spellings.kernel_dtypes import Results

_NARROW = 2
"""As many bytes hold what floats hold, too."""


def divided(op: Ops, node: Node) -> Results | None:
    """x / y, rounded to 0: what is left over is taken away first"""
    x, by = node.required(2)
    return [_quotient(op, x, by, truncated=1)] if _is_narrow(x) else None


def shifted(op: Ops, node: Node) -> Results | None:
    """x / 2ᵏ, rounded down, or x·2ᵏ of what stays within the bits, in int32"""
    first = node.first_input
    if not _is_narrow(first):
        return None
    x, k = (op.Cast(v, to="int32") for v in node.required(2))
    factor = op.Pow(op.like(2, x), k)
    if node.attributes["direction"] == "RIGHT":
        return [op.CastLike(_quotient(op, x, factor), first)]
    behind = op.Sub(op.like(8 * first.dtype.itemsize, k), k)
    kept = op.Mod(x, op.Pow(op.like(2, x), behind))
    return [op.CastLike(op.Mul(kept, factor), first)]


def _is_narrow(x: Value) -> bool:
    return x.dtype.kind in "iu" and x.dtype.itemsize <= _NARROW


def _quotient(op: Ops, x: Value, by: Value, truncated: int = 0) -> Value:
    result: Value = op.Div(op.Sub(x, op.Mod(x, by, fmod=truncated)), by)
    return result
