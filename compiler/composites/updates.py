"""Bodies of update rules: what a parameter and its state become, given the gradient."""

from collections.abc import Sequence

from ..emission.ops import Ops
from ..graph.ir import Node, Value
from .registry import form


@form("SgdUpdate")
def sgd_update(op: Ops, node: Node) -> Sequence[Value]:
    """v ← μ·v + dw + λ·w; w ← w − η·v, or w − η·(dw + μ·v) by Nesterov; of (w, dw, η, v)."""
    w, dw, rate = node.required(3)
    momentum, results = node.attributes["momentum"], []
    if node.attributes["weight_decay"]:
        dw = op.Add(dw, op.Mul(w, node.attributes["weight_decay"]))
    if momentum:
        speed = op.Add(op.Mul(node.required(4)[3], momentum), dw)
        results.append(speed)
        dw = op.Add(dw, op.Mul(speed, momentum)) if node.attributes["nesterov"] else speed
    return [op.Sub(w, op.Mul(rate, dw)), *results]


@form("AdamUpdate")
def adam_update(op: Ops, node: Node) -> Sequence[Value]:
    """m ← β₁·m + (1 − β₁)·dw; v ← β₂·v + (1 − β₂)·dw²; w ← φ·w − η·m / (√v + ε)

    Its inputs are (w, dw, m, v, η, ε, φ); both corrections of bias are in η and ε, φ = 1 − η·λ is
    left out where no weights decay.
    """
    w, dw, m, v, rate, least = node.required(6)
    b1, b2, factor = node.attributes["b1"], node.attributes["b2"], node.input(6)
    mean = op.Add(op.Mul(m, b1), op.Mul(dw, 1 - b1))
    square = op.Add(op.Mul(v, b2), op.Mul(op.Mul(dw, dw), 1 - b2))
    change = op.Div(op.Mul(mean, rate), op.Add(op.Sqrt(square), least))
    start = w if factor is None else op.Mul(w, factor)
    return [op.Sub(start, change), mean, square]
