"""Body of the causal convolution, for channels and kernels whose sizes are symbols too."""

from collections.abc import Sequence

from ..emission.ops import Ops
from ..emission.positions import dimension, zeros
from ..emission.windows import FAR
from ..graph.ir import Node, Value
from ..standard.schemas import attribute
from .registry import standard_body


@standard_body("CausalConvWithState")
def causal_conv_with_state(op: Ops, node: Node) -> Sequence[Value]:
    """Convolve each channel of (state, x) along the last axis; the new state is its end.

    x: (batch, channels, length), w: (channels, 1, k), state: (batch, channels, k − 1), zeros where
    it is omitted.
    """
    x = node.first_input
    _, w = node.required(2)
    bias, state = node.input(2), node.input(3)
    if state is None:
        kept = op.Sub(dimension(op, w, 2), 1)
        state = zeros(op, op.Concat(op.Shape(x, end=2), kept, axis=0), x)
    whole = op.Concat(state, x, axis=2)
    sizes = [v.shape[axis] for v, axis in ((x, 1), (w, 0)) if v.shape]
    channels = next((c for c in sizes if isinstance(c, int)), None)
    if channels is None:
        y = _by_windows(op, whole, x, w, bias)
    else:
        y = op.Conv(whole, w, bias, group=channels)
    if attribute(node, "activation") != "none":
        y = op.Mul(y, op.Sigmoid(y))
    return y, op.Slice(whole, dimension(op, x, 2), [FAR], [2])


def _by_windows(op: Ops, whole: Value, x: Value, w: Value, bias: Value | None) -> Value:
    """Say the convolution as a product and a sum over every window: its groups need no number."""
    steps, taps = (op.Range(0, op.Squeeze(dimension(op, v, 2), [0]), 1) for v in (x, w))
    windows = op.Gather(whole, op.Add(op.Unsqueeze(steps, [1]), taps), axis=2)
    y: Value = op.ReduceSum(op.Mul(windows, w), [3], keepdims=0)
    return y if bias is None else op.Add(y, op.Unsqueeze(bias, [1]))
