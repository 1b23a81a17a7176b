"""What optimizers have in common that hold another one."""

from dataclasses import dataclass

from ..training.update import Optimizer, Rate
from .settings import require_optimizer


@dataclass(frozen=True, slots=True)
class Wrapper:
    """An optimizer that hands gradients on to another one, or changes what that gives."""

    optimizer: Optimizer

    @property
    def learning_rate(self) -> Rate:
        """The learning rate of the optimizer inside."""
        return self.optimizer.learning_rate

    def __post_init__(self) -> None:
        require_optimizer(self.optimizer)
