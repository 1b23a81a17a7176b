"""Bodies of optimizers' updates that backends run in one pass over memory."""

from collections.abc import Sequence

from ..emission.ops import Ops
from ..graph.ir import Node, Value
from .registry import form


@form("AdamUpdate")
def adam_update(op: Ops, node: Node) -> Sequence[Value]:
    """m ← β₁·m + (1 − β₁)·dw, v ← β₂·v + (1 − β₂)·dw², w ← φ·w − η′·m / (√v + ε′)

    Inputs w, dw, m, v and the scalars η′, ε′ and, where weights decay, φ; it gives w, m and v.
    """
    w, dw, m, v, rate, least, *decay = node.required(len(node.inputs))
    b1, b2 = node.attributes["b1"], node.attributes["b2"]
    mean = op.Add(op.Mul(m, b1), op.Mul(dw, 1 - b1))
    square = op.Add(op.Mul(v, b2), op.Mul(op.Mul(dw, dw), 1 - b2))
    change = op.Div(op.Mul(mean, rate), op.Add(op.Sqrt(square), least))
    start = op.Mul(w, decay[0]) if decay else w
    return op.Sub(start, change), mean, square
