"""RMSprop."""

from dataclasses import dataclass

from onnxgrad.compiler.graph.arguments import require_flag, require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Rate, Update
from .settings import require_fraction, require_rate


@dataclass(frozen=True, slots=True)
class RMSprop:
    """RMSprop (Hinton, 2012): v ← β·v + (1 − β)·dw²; w ← w − η·dw / (√v + ε).

    Args:
        learning_rate: η; a number, the name of a scalar input of the step, or a schedule.
        decay: β.
        eps: ε, outside the root.
        momentum: μ in b ← μ·b + dw / (√v + ε); w ← w − η·b.
        centered: take m² from v under the root, where m ← β·m + (1 − β)·dw.
    """

    learning_rate: Rate = 0.01
    decay: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        require_rate(self.learning_rate)
        require_fraction(self.decay, "decay")
        require_number(self.eps, "eps", least=0)
        require_fraction(self.momentum, "momentum")
        require_flag(self.centered, "centered")

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """v ← β·v + (1 − β)·dw²; w ← w − η·dw / (√v + ε)"""
        op, new = update.op, {}
        for w, dw in gradients.items():
            variance = self._mean(update, "square", w, op.Mul(dw, dw))
            if self.centered:
                mean = self._mean(update, "mean", w, dw)
                # rounding may leave less than nothing
                variance = op.Max(op.Sub(variance, op.Mul(mean, mean)), op.like(0, w))
            change = op.Div(dw, op.Add(op.Sqrt(variance), self.eps))
            if self.momentum:
                b = update.state("momentum", w)
                change = op.Add(op.Mul(b, self.momentum), change)
                update.keep(b, change)
            new[w] = op.Sub(w, op.Mul(update.rate(w), change))
        return new

    def _mean(self, update: Update, name: str, w: Value, x: Value) -> Value:
        """m ← β·m + (1 − β)·x"""
        op, m = update.op, update.state(name, w)
        after: Value = op.Add(op.Mul(m, self.decay), op.Mul(x, 1 - self.decay))
        update.keep(m, after)
        return after
