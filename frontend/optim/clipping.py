"""Gradients kept small: each element by itself, or all of them together."""

from dataclasses import dataclass
from functools import reduce

from onnxgrad.compiler.graph.arguments import require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Update
from .settings import require
from .wrapper import Wrapper


@dataclass(frozen=True, slots=True)
class clip_by_value(Wrapper):
    """Cut each element of the gradients to ±most before an optimizer reads them.

    Args:
        optimizer: any optimizer.
        most: over 0.
    """

    most: float

    def __post_init__(self) -> None:
        Wrapper.__post_init__(self)
        require(require_number(self.most, "most") > 0, "most", "over 0", self.most)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """dw ← min(max(dw, −most), most)"""
        op, clipped = update.op, {}
        for w, dw in gradients.items():
            clipped[w] = op.Clip(dw, op.like(-self.most, dw), op.like(self.most, dw))
        return update.apply(self.optimizer, clipped)


@dataclass(frozen=True, slots=True)
class clip_by_global_norm(Wrapper):
    """Shorten the gradients, as one long vector, to a length before an optimizer reads them.

    Args:
        optimizer: any optimizer.
        most: the length, over 0.
    """

    most: float

    def __post_init__(self) -> None:
        Wrapper.__post_init__(self)
        require(require_number(self.most, "most") > 0, "most", "over 0", self.most)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """dw ← dw·min(1, most / ‖dw‖), the norm over all parameters; a NaN stays one"""
        op = update.op
        widest = max(gradients, key=lambda w: w.dtype.itemsize)
        squares = [
            update.cast(op.ReduceSum(op.Mul(dw, dw), keepdims=0), widest)
            for dw in gradients.values()
        ]
        norm = op.Sqrt(reduce(op.Add, squares))
        factor = op.Div(self.most, op.Max(norm, op.like(self.most, norm)))
        shorter = {w: op.Mul(dw, update.cast(factor, dw)) for w, dw in gradients.items()}
        return update.apply(self.optimizer, shorter)
