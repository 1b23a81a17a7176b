"""Expand the Gradient operator of ai.onnx.preview.training, which no runtime has, as it is read."""

from collections.abc import Sequence

import numpy as np

from ..emission.ops import Ops
from ..errors import UnsupportedOpError
from ..gradients import backpropagate
from ..graph.ir import Value


def emit_gradient(
    op: Ops, y: Value, xs: Sequence[Value], points: Sequence[Value | None], names: Sequence[str]
) -> list[Value | None]:
    """Emit dx = ∂(Σ y)/∂x for each of xs, under the names given; an empty name asks for none.

    Raises:
        UnsupportedOpError: the derivative is asked for at points other than xs themselves.
        GradientError: as for any gradient.
    """
    if list(points[: len(xs)]) != list(xs):
        raise UnsupportedOpError(
            "Gradient is read only where its inputs are the tensors that `xs` names", ["Gradient"]
        )
    ones = op.ConstantOfShape(op.Shape(y), value=np.ones(1, y.dtype))
    wanted = [x for x, name in zip(xs, names, strict=False) if name]
    gradients = backpropagate(op.graph, {y: ones}, wanted)
    results: list[Value | None] = []
    for x, name in zip(xs, names, strict=False):
        dx = gradients.get(x)
        if name and dx is None:
            dx = op.ConstantOfShape(op.Shape(x), value=np.zeros(1, x.dtype))
        results.append(op.emit("Identity", dx, outputs=[name]) if name else None)
    return results
