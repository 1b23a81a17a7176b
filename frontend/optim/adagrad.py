"""Adagrad."""

from dataclasses import dataclass

from onnxgrad.compiler.graph.arguments import require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Rate, Update
from .settings import require_rate


@dataclass(frozen=True, slots=True)
class Adagrad:
    """Adagrad (Duchi and others, 2011): v ← v + dw²; w ← w − η·dw / (√v + ε).

    Args:
        learning_rate: η; a number, the name of a scalar input of the step, or a schedule.
        start: what v starts at.
        eps: ε, outside the root.
    """

    learning_rate: Rate = 0.01
    start: float = 0.0
    eps: float = 1e-10

    def __post_init__(self) -> None:
        require_rate(self.learning_rate)
        require_number(self.start, "start", least=0)
        require_number(self.eps, "eps", least=0)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """v ← v + dw²; w ← w − η·dw / (√v + ε)"""
        op, new = update.op, {}
        for w, dw in gradients.items():
            v = update.state("square", w, self.start)
            total = op.Add(v, op.Mul(dw, dw))
            update.keep(v, total)
            change = op.Div(op.Mul(update.rate(w), dw), op.Add(op.Sqrt(total), self.eps))
            new[w] = op.Sub(w, change)
        return new
