"""The laws, by letter."""

from . import (
    arguments,
    backends,
    batches,
    differences,
    hessians,
    outputs_kept,
    refusals,
    same_bytes,
    transposes,
)
from .law import Law

_MODULES = (
    backends,
    differences,
    transposes,
    hessians,
    outputs_kept,
    batches,
    arguments,
    same_bytes,
    refusals,
)

LAWS: dict[str, Law] = {module.LAW.letter: module.LAW for module in _MODULES}
