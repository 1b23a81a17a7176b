"""Muon."""

from dataclasses import dataclass
from math import sqrt

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_count, require_flag, require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Rate, Update
from .settings import require_fraction, require_rate

_QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients that bring singular values near 1 in few iterations, see Jordan (2024)."""


@dataclass(frozen=True, slots=True)
class Muon:
    """Muon (Jordan, 2024): momentum whose matrix is made nearly orthogonal, for matrices alone.

    Other parameters need an optimizer of their own: `groups(AdamW(1e-3), {"*.weight": Muon()})`.

    Args:
        learning_rate: η; a number, the name of a scalar input of the step, or a schedule. It counts
            √(rows / columns) times where a matrix has more rows.
        momentum: μ in v ← μ·v + (1 − μ)·dw.
        nesterov: look ahead, μ·v + (1 − μ)·dw in place of v.
        weight_decay: λ in w ← w − η·λ·w, on every parameter.
        iterations: of Newton and Schulz.
    """

    learning_rate: Rate = 1e-3
    momentum: float = 0.95
    nesterov: bool = True
    weight_decay: float = 0.1
    iterations: int = 5

    def __post_init__(self) -> None:
        require_rate(self.learning_rate)
        require_fraction(self.momentum, "momentum")
        require_flag(self.nesterov, "nesterov")
        require_number(self.weight_decay, "weight_decay", least=0)
        require_count(self.iterations, "iterations", least=1)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """v ← μ·v + (1 − μ)·dw; w ← w − η·λ·w − η·√max(1, rows/columns)·orthogonal(v)"""
        op, new = update.op, {}
        for w, dw in gradients.items():
            if w.rank != 2:
                raise GraphError(
                    f"Muon is for matrices, '{update.name(w)}' is {w.type}; give the others an "
                    'optimizer of their own: og.optim.groups(og.optim.AdamW(), {"…": Muon()})'
                )
            v = update.state("momentum", w)
            speed = self._lerp(update, v, dw)
            update.keep(v, speed)
            if self.nesterov:
                speed = op.Add(op.Mul(dw, 1 - self.momentum), op.Mul(speed, self.momentum))
            rows, columns = update.shape(w)
            change = op.Mul(self._orthogonal(update, speed, rows > columns), update.rate(w))
            change = op.Mul(change, sqrt(max(1, rows / columns)))
            decay = op.Mul(op.Mul(update.rate(w), self.weight_decay), w)
            start = op.Sub(w, decay) if self.weight_decay else w
            new[w] = op.Sub(start, change)
        return new

    def _lerp(self, update: Update, v: Value, dw: Value) -> Value:
        op = update.op
        mean: Value = op.Add(op.Mul(v, self.momentum), op.Mul(dw, 1 - self.momentum))
        return mean

    def _orthogonal(self, update: Update, x: Value, tall: bool) -> Value:
        """X ← a·X + (b·A + c·A²)·X with A = X·Xᵀ, from X / ‖X‖, the short side in front"""
        op, (a, b, c) = update.op, _QUINTIC
        x = op.Transpose(x) if tall else x
        norm = op.Sqrt(op.ReduceSum(op.Mul(x, x), keepdims=0))
        x = op.Div(x, op.Max(norm, op.like(1e-7, x)))
        for _ in range(self.iterations):
            gram = op.MatMul(x, op.Transpose(x))
            factor = op.Add(op.Mul(gram, b), op.Mul(op.MatMul(gram, gram), c))
            x = op.Add(op.Mul(x, a), op.MatMul(factor, x))
        return op.Transpose(x) if tall else x
