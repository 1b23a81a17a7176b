"""Statistics of a batch for each channel of x: (batch, channels, …)."""

from ..graph.ir import Value
from .ops import Ops


def batch_statistics(op: Ops, x: Value) -> tuple[Value, Value, Value]:
    """Give the mean μ as (1, channels, 1, …), x − μ, and the variance, shaped like the mean.

    The forward pass and the gradient both spell them so: runtimes compute them once.
    """
    mean = _mean_of_channels(op, x)
    centered = op.Sub(x, mean)
    return mean, centered, _mean_of_channels(op, op.Mul(centered, centered))


def _mean_of_channels(op: Ops, x: Value) -> Value:
    """Average over all axes but the channels, kept; one by one, as onnxruntime is fast at it."""
    inner = list(range(2, x.known_rank))
    return op.ReduceMean(op.ReduceMean(x, inner) if inner else x, [0])
