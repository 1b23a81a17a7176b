"""What the settings of optimizers must be."""

from typing import Any

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_number

from ..training.update import Optimizer


def require_rate(given: Any) -> None:
    """Refuse what is neither a number, nor a name, nor a schedule."""
    if not (isinstance(given, str) and given or callable(given)):
        require_number(given, "a learning rate that is neither a name nor a schedule", least=0)


def require_fraction(given: float, name: str) -> None:
    """Refuse what is not in [0, 1)."""
    require(0 <= require_number(given, name) < 1, name, "in [0, 1)", given)


def require(holds: bool, name: str, what: str, given: float) -> None:
    """Refuse a setting for which something does not hold."""
    if not holds:
        raise GraphError(f"{name} must be {what}, got {given}")


def require_optimizer(given: Any) -> Optimizer:
    """Refuse what has no learning rate or no update; a class is not an optimizer yet."""
    complete = hasattr(given, "learning_rate") and hasattr(given, "update")
    if isinstance(given, type) or not complete:
        raise GraphError(f"an optimizer is wanted, such as og.optim.SGD(0.1), not {given!r}")
    optimizer: Optimizer = given
    return optimizer
