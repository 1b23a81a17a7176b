"""What the settings of optimizers must be."""

from reprlib import repr as shortened
from types import ModuleType
from typing import Any

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_function, require_number

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
    if complete and not isinstance(given, type | ModuleType):
        require_function(given.update, f"the update of {shortened(given)}", 2)
        optimizer: Optimizer = given
        return optimizer
    said = f"not {shortened(given)}"
    if isinstance(given, ModuleType):
        own = [n for n, v in vars(given).items() if _is_class(v) and v.__module__ == given.__name__]
        said = f"not the module {given.__name__}"
        said += f"; call the {' or '.join(own)} in it" if own else ""
    elif _is_class(given):
        said = f"not the class {given.__name__}; call it, {given.__name__}(…)"
    raise GraphError(f"an optimizer is wanted, such as og.optim.SGD(0.1), {said}")


def _is_class(given: Any) -> bool:
    """Tell whether something is a class of optimizers."""
    return isinstance(given, type) and hasattr(given, "update")
