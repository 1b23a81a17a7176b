"""Stochastic gradient descent."""

from dataclasses import dataclass

from onnxgrad.compiler.graph.arguments import require_flag, require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Rate, Update
from .settings import require, require_fraction, require_rate


@dataclass(frozen=True, slots=True)
class SGD:
    """Stochastic gradient descent: w ← w − η·dw, with momentum v ← μ·v + dw; w ← w − η·v.

    Args:
        learning_rate: η; a number, the name of a scalar input of the step, or a schedule.
        momentum: μ.
        nesterov: look ahead, w ← w − η·(dw + μ·v).
        weight_decay: λ, added to the gradient as λ·w, on every parameter.
    """

    learning_rate: Rate
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require_rate(self.learning_rate)
        require_fraction(self.momentum, "momentum")
        require_number(self.weight_decay, "weight_decay", least=0)
        require_flag(self.nesterov, "nesterov")
        require(self.momentum > 0 or not self.nesterov, "momentum", "over 0 with nesterov", 0)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """v ← μ·v + dw + λ·w; w ← w − η·v"""
        op, new = update.op, {}
        settings = {
            "momentum": self.momentum,
            "nesterov": int(self.nesterov),
            "weight_decay": self.weight_decay,
        }
        for w, dw in gradients.items():
            given = [w, dw, update.rate(w)]
            if not self.momentum:
                new[w] = op.composite("SgdUpdate", *given, types=[w.type], **settings)
                continue
            v = update.state("momentum", w)
            types = [w.type, v.type]
            new[w], speed = op.composite("SgdUpdate", *given, v, types=types, **settings)
            update.keep(v, speed)
        return new
