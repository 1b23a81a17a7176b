"""Bodies of operators on signals."""

from ..emission.ops import Ops
from ..emission.positions import int64
from ..graph.ir import Node, Value
from ..standard.schemas import attribute
from .registry import standard_body


@standard_body("STFT")
def short_time_fourier_transform(op: Ops, node: Node) -> Value:
    """Transform frames of the signal, (batch, frames, length, 1 or 2), times the window.

    The length is the window's where frame_length is omitted, else the signal's.
    """
    signal, step = node.required(2)
    if signal.rank == 2:  # exporters and runtimes leave out the axis for the one part of a real
        signal = op.Unsqueeze(signal, [2])
    window, length = node.input(2), node.input(3)
    size = op.Gather(op.Shape(signal), 1)
    step = int64(op, step)
    if length is not None:
        length = int64(op, length)
    else:
        length = size if window is None else op.Size(window)
    step, length = (op.Reshape(v, op.constant([], "int64")) for v in (step, length))
    count = op.Add(op.Div(op.Sub(size, length), step), 1)
    starts = op.Mul(op.Range(0, count, 1), step)
    places = op.Add(op.Unsqueeze(starts, [1]), op.Range(0, length, 1))
    frames = op.Gather(signal, places, axis=1)
    if window is not None:
        frames = op.Mul(frames, op.Unsqueeze(window, [1]))
    onesided = attribute(node, "onesided")
    return op.DFT(frames, None, -2, onesided=onesided)
