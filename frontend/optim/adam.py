"""Adam, and Adam with decoupled weight decay."""

from dataclasses import dataclass

from onnxgrad.compiler.graph.arguments import require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Rate, Update
from .settings import require_fraction, require_rate


@dataclass(frozen=True, slots=True)
class Adam:
    """Adam (Kingma and Ba, 2015): w ← w − η·m̂ / (√v̂ + ε) with both moments' bias corrected.

    Args:
        learning_rate: η; a number, the name of a scalar input of the step, or a schedule.
        b1: decay of the mean of the gradients, m ← β₁·m + (1 − β₁)·dw.
        b2: decay of the mean of their squares, v ← β₂·v + (1 − β₂)·dw².
        eps: ε, outside the root.
    """

    learning_rate: Rate = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8

    def __post_init__(self) -> None:
        require_rate(self.learning_rate)
        require_fraction(self.b1, "b1")
        require_fraction(self.b2, "b2")
        require_number(self.eps, "eps", least=0)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """m̂ = m / (1 − β₁ᵗ); v̂ = v / (1 − β₂ᵗ); w ← w − η·m̂ / (√v̂ + ε)"""
        return adam(update, gradients, self.b1, self.b2, self.eps, 0.0)


@dataclass(frozen=True, slots=True)
class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): w ← w − η·λ·w first.

    Args:
        learning_rate, b1, b2, eps: as in Adam.
        weight_decay: λ, on every parameter as torch has it; `decay_weights` around `Adam` chooses
            among them.
    """

    learning_rate: Rate = 1e-3
    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        require_rate(self.learning_rate)
        require_fraction(self.b1, "b1")
        require_fraction(self.b2, "b2")
        require_number(self.eps, "eps", least=0)
        require_number(self.weight_decay, "weight_decay", least=0)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """w ← w − η·λ·w, then Adam"""
        return adam(update, gradients, self.b1, self.b2, self.eps, self.weight_decay)


def adam(
    update: Update, gradients: Gradients, b1: float, b2: float, eps: float, weight_decay: float
) -> dict[Value, Value]:
    """Emit Adam's update, with both corrections in two scalars that all parameters share:

    η·m̂ / (√v̂ + ε) = η′·m / (√v + ε′), where η′ = η·√(1 − β₂ᵗ) / (1 − β₁ᵗ) and ε′ = ε·√(1 − β₂ᵗ)
    """
    op, new = update.op, {}
    t = update.count()
    root = op.Sqrt(op.Sub(1.0, op.Pow(op.constant(b2, t.dtype), t)))
    ratio = op.Div(root, op.Sub(1.0, op.Pow(op.constant(b1, t.dtype), t)))
    least = op.Mul(root, eps)
    rates, factors = {}, {}
    for w in {w.dtype: w for w in gradients}.values():
        rates[w.dtype] = op.Mul(update.rate(w), update.cast(ratio, w))
        if weight_decay:
            factors[w.dtype] = op.Sub(1.0, op.Mul(update.rate(w), weight_decay))
    for w, dw in gradients.items():
        m, v = update.state("mean", w), update.state("square", w)
        new[w], mean, square = op.composite(
            "AdamUpdate", w, dw, m, v, rates[w.dtype], update.cast(least, w), factors.get(w.dtype),
            types=[w.type, m.type, v.type], b1=b1, b2=b2,
        )  # fmt: skip
        update.keep(m, mean)
        update.keep(v, square)
    return new
