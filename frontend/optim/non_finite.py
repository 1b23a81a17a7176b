"""Steps with a gradient that is not finite: left out, and the loss scaled so that few are."""

from dataclasses import dataclass

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_count, require_number
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Update
from .settings import require
from .wrapper import Wrapper


@dataclass(frozen=True, slots=True)
class skip_non_finite(Wrapper):
    """Leave out steps in which a gradient is NaN or infinite: nothing moves, no step is counted.

    Running statistics of BatchNormalization stay what they are, too.

    The state "optimizer.skipped" counts them.

    Args:
        optimizer: any optimizer.
    """

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """Hand on what is finite"""
        op, finite = update.op, update.skip_unless(gradients)
        skipped = update.shared("skipped", np.int64(0))
        update.keep(skipped, op.Add(skipped, op.Where(finite, 0, 1)))
        return update.apply(self.optimizer, gradients, when=finite)


@dataclass(frozen=True, slots=True)
class scale_loss(Wrapper):
    """Differentiate a multiple of the loss, so that small gradients do not vanish in float16.

    The optimizer inside gets the gradients of the loss itself. Where one is not finite, the step is
    left out and the multiple falls; after many good steps it grows. It is the state
    "optimizer.loss_scale". This wrapper is the outermost, for others would see scaled gradients.

    Args:
        optimizer: any optimizer.
        start: the first multiple.
        growth: the multiple grows by this factor, 1 or more,
        interval: after so many good steps in a row.
        backoff: it falls by this factor, over 0 and at most 1.
    """

    start: float = 2.0**16
    growth: float = 2.0
    interval: int = 2000
    backoff: float = 0.5

    def __post_init__(self) -> None:
        Wrapper.__post_init__(self)
        require(require_number(self.start, "start") > 0, "start", "over 0", self.start)
        require_number(self.growth, "growth", least=1)
        require_count(self.interval, "interval", least=1)
        falls = 0 < require_number(self.backoff, "backoff") <= 1
        require(falls, "backoff", "over 0 and at most 1", self.backoff)

    def loss_scale(self, update: Update) -> Value:
        """Add the multiple as state, before the loss is differentiated."""
        update.loss_scale = update.shared("loss_scale", np.float32(self.start))
        return update.loss_scale

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """dw ← dw / scale; scale ← scale·growth or scale·backoff"""
        op, scale = update.op, update.loss_scale
        if scale is None:
            raise GraphError("scale_loss must be the outermost of the optimizers that are wrapped")
        update.loss_scale = None
        exact = {w: op.Div(dw, update.cast(scale, dw)) for w, dw in gradients.items()}
        finite = update.skip_unless(exact)
        good = update.shared("good_steps", np.int64(0))
        more = op.Add(good, 1)
        ready = op.Equal(more, self.interval)
        update.keep(good, op.Where(op.And(finite, op.Not(ready)), more, 0))
        larger = op.Mul(scale, self.growth)
        larger = op.Where(op.And(ready, op.Not(op.IsInf(larger))), larger, scale)
        update.keep(scale, op.Where(finite, larger, op.Mul(scale, self.backoff)))
        return update.apply(self.optimizer, exact, when=finite)
