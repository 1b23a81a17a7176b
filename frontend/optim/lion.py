"""Lion."""

from dataclasses import dataclass

from onnxgrad.compiler.graph.arguments import require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Rate, Update
from .settings import require_fraction, require_rate


@dataclass(frozen=True, slots=True)
class Lion:
    """Lion (Chen and others, 2023): w ← w − η·(sign(β₁·m + (1 − β₁)·dw) + λ·w).

    Args:
        learning_rate: η; a number, the name of a scalar input of the step, or a schedule.
        b1: how much the mean of the gradients counts against the newest.
        b2: decay of that mean, m ← β₂·m + (1 − β₂)·dw.
        weight_decay: λ, on every parameter; `decay_weights` chooses among them.
    """

    learning_rate: Rate = 1e-4
    b1: float = 0.9
    b2: float = 0.99
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require_rate(self.learning_rate)
        require_fraction(self.b1, "b1")
        require_fraction(self.b2, "b2")
        require_number(self.weight_decay, "weight_decay", least=0)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """w ← w − η·(sign(β₁·m + (1 − β₁)·dw) + λ·w); m ← β₂·m + (1 − β₂)·dw"""
        op, new = update.op, {}
        for w, dw in gradients.items():
            m = update.state("mean", w)
            update.keep(m, op.Add(op.Mul(m, self.b2), op.Mul(dw, 1 - self.b2)))
            change = op.Sign(op.Add(op.Mul(m, self.b1), op.Mul(dw, 1 - self.b1)))
            if self.weight_decay:
                change = op.Add(change, op.Mul(w, self.weight_decay))
            new[w] = op.Sub(w, op.Mul(update.rate(w), change))
        return new
