"""Adafactor."""

from dataclasses import dataclass

import numpy as np

from onnxgrad.compiler.graph.arguments import require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Rate, Update
from .settings import require, require_rate


@dataclass(frozen=True, slots=True)
class Adafactor:
    """Adafactor (Shazeer and Stern, 2018): Adam's second moment by its row and column means.

    Of a matrix m × n it keeps m + n numbers; of more axes the last two are the matrix. Steps are
    relative to the root mean square of the parameter.

    Args:
        learning_rate: the most that a relative step may be; it is at most 1/√t.
        decay: κ in β = 1 − t^κ, at most 0.
        least: a parameter counts as no smaller, so that zeros move.
        clip: the most that the root mean square of a step may be.
        weight_decay: λ in w ← w − η·λ·w, on every parameter; `decay_weights` chooses among them.
    """

    learning_rate: Rate = 0.01
    decay: float = -0.8
    least: float = 1e-3
    clip: float = 1.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        require_rate(self.learning_rate)
        require(require_number(self.decay, "decay") <= 0, "decay", "at most 0", self.decay)
        require_number(self.least, "least", least=0)
        require(require_number(self.clip, "clip") > 0, "clip", "over 0", self.clip)
        require_number(self.weight_decay, "weight_decay", least=0)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """u = dw / √v; w ← w − η·max(rms(w), least)·u / max(1, rms(u)/clip)"""
        op, new = update.op, {}
        t = update.count()
        share = op.Pow(t, op.constant(self.decay, t.dtype))
        most = op.Div(1.0, op.Sqrt(t))
        for w, dw in gradients.items():
            tiny = float(np.finfo(w.dtype).eps)
            v = self._variance(update, w, dw, update.cast(share, w), tiny)
            u = op.Div(dw, op.Sqrt(op.Max(v, op.like(tiny**2, w))))
            step = op.Mul(
                op.Min(update.rate(w), update.cast(most, w)),
                op.Max(_rms(update, w), op.like(self.least, w)),
            )
            step = op.Div(step, op.Max(op.Div(_rms(update, u), self.clip), op.like(1, w)))
            start = w
            if self.weight_decay:
                kept = op.Sub(1.0, op.Mul(update.rate(w), self.weight_decay))
                start = op.Mul(w, kept)
            new[w] = op.Sub(start, op.Mul(u, step))
        return new

    def _variance(self, update: Update, w: Value, dw: Value, share: Value, tiny: float) -> Value:
        """v ≈ rows·columns / mean(rows), each a running mean of dw²"""
        op, shape, squares = update.op, update.shape(w), update.op.Mul(dw, dw)

        def running(name: str, shape: tuple[int, ...], x: Value) -> Value:
            before = update.state(name, w, shape=shape)
            after: Value = op.Add(before, op.Mul(op.Sub(x, before), share))
            update.keep(before, after)
            return after

        if len(shape) < 2:
            return running("square", shape, squares)
        rows = running("rows", (*shape[:-1], 1), op.ReduceMean(squares, [-1]))
        columns = running("columns", (*shape[:-2], 1, shape[-1]), op.ReduceMean(squares, [-2]))
        mean = op.Max(op.ReduceMean(rows, [-2]), op.like(tiny, w))
        product: Value = op.Div(op.Mul(rows, columns), mean)
        return product


def _rms(update: Update, x: Value) -> Value:
    op = update.op
    root: Value = op.Sqrt(op.ReduceMean(op.Mul(x, x), keepdims=0))
    return root
