"""One update for the gradients of several steps."""

from dataclasses import dataclass

import numpy as np

from onnxgrad.compiler.graph.arguments import require_count
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Update
from .wrapper import Wrapper


@dataclass(frozen=True, slots=True)
class accumulate(Wrapper):
    """Move parameters at every k-th step only, by the mean of the gradients since.

    Schedules and the optimizer inside count updates, not steps.

    Args:
        optimizer: any optimizer.
        steps: k.
    """

    steps: int

    def __post_init__(self) -> None:
        Wrapper.__post_init__(self)
        require_count(self.steps, "steps", least=1)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """s ← s + dw; at every k-th step the update by s/k, and s ← 0"""
        op = update.op
        count = update.shared("accumulated", np.int64(0))
        now = op.Add(count, 1)
        ready = op.Equal(now, self.steps)
        update.keep(count, op.Where(ready, 0, now))
        means = {}
        for w, dw in gradients.items():
            before = update.state("accumulated", w)
            total = op.Add(before, dw)
            update.keep(before, op.Where(ready, op.like(0, w), total))
            means[w] = op.Div(total, float(self.steps))
        return update.apply(self.optimizer, means, when=ready)
