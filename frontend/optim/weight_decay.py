"""Decoupled weight decay of chosen parameters."""

from collections.abc import Sequence
from dataclasses import dataclass

from onnxgrad.compiler.graph.arguments import require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Update
from .patterns import matching
from .wrapper import Wrapper


@dataclass(frozen=True, slots=True)
class decay_weights(Wrapper):
    """Let chosen parameters shrink beside what an optimizer does: w ← w − η·λ·w.

    Around `Adam` this is AdamW with a mask: `AdamW` itself decays every parameter, as torch does.
    It decays at every step that it sees, so its place is inside of `accumulate`.

    Args:
        optimizer: any optimizer; η is its learning rate.
        weight_decay: λ.
        of: names or patterns of what decays; by default what has two axes of more than one element,
            which leaves out biases and the scales of norms. Of recurrent layers with two directions
            biases have two such axes, too: name what decays.
    """

    weight_decay: float = 0.01
    of: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        Wrapper.__post_init__(self)
        require_number(self.weight_decay, "weight_decay", least=0)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """w ← new − η·λ·w"""
        op, new = update.op, update.apply(self.optimizer, gradients)
        if self.of is None:
            chosen = [w for w in gradients if sum(d != 1 for d in w.shape or ()) > 1]
        else:
            chosen = matching(update, gradients, self.of, "of")
        for w in chosen:
            factor = op.Mul(update.rate(w), self.weight_decay)
            new[w] = op.Sub(new[w], op.Mul(factor, w))
        return new
