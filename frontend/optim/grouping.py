"""An optimizer for each group of parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

from onnxgrad.compiler.graph.arguments import require_mapping
from onnxgrad.compiler.graph.ir import Value

from ..training.update import Gradients, Optimizer, Update
from .patterns import matching
from .settings import require_optimizer
from .wrapper import Wrapper


@dataclass(frozen=True, slots=True)
class groups(Wrapper):
    """Train parameters of some names with optimizers of their own.

    Example:
        >>> og.optim.groups(og.optim.Adam(1e-3), {"head.*": og.optim.Adam(1e-2)})

    Args:
        optimizer: for all others.
        by_name: optimizers by name or pattern; the first that matches counts.
    """

    by_name: Mapping[str, Optimizer]

    def __post_init__(self) -> None:
        Wrapper.__post_init__(self)
        for optimizer in require_mapping(self.by_name, "by_name").values():
            require_optimizer(optimizer)

    def update(self, update: Update, gradients: Gradients) -> dict[Value, Value]:
        """Hand each group to its optimizer"""
        rest, parts = dict(gradients), list[tuple[Optimizer, Gradients]]()
        for pattern, optimizer in self.by_name.items():
            chosen = matching(update, gradients, pattern, "by_name")
            parts.append((optimizer, {w: rest.pop(w) for w in chosen if w in rest}))
        new: dict[Value, Value] = {}
        for optimizer, part in [(self.optimizer, rest), *parts]:
            if part:
                new |= update.apply(optimizer, part)
        return new
