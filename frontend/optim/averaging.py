"""Exponential moving averages of the weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_mapping
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Update
from .settings import require_fraction
from .wrapper import Wrapper

_AVERAGE = "average"


@dataclass(frozen=True, slots=True)
class average_weights(Wrapper):
    """Keep a moving average of each parameter beside it: a ← d·a + (1 − d)·w, from the first w.

    `averages` takes them out of a state.

    Args:
        optimizer: any optimizer.
        decay: d.
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        Wrapper.__post_init__(self)
        require_fraction(self.decay, "decay")

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """a ← d·a + (1 − d)·w, of the new w"""
        op, new = update.op, update.apply(self.optimizer, gradients)
        for w, after in new.items():
            a = update.copy(_AVERAGE, w)
            update.keep(a, op.Add(op.Mul(a, self.decay), op.Mul(after, 1 - self.decay)))
        return new


def averages(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give the averaged parameters of a state, by the parameter's name and in its dtype.

    Example:
        >>> tuned = og.with_parameters(g, og.optim.averages(stepper.state()))

    Raises:
        GraphError: the state holds none; train with `average_weights`.
    """
    names = [n for n in require_mapping(state, "state") if f"{n}.{_AVERAGE}" in state]
    if not names:
        raise GraphError("the state holds no averages; train with og.optim.average_weights(…)")
    return {n: state[f"{n}.{_AVERAGE}"].astype(state[n].dtype) for n in names}
