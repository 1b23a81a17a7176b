"""The operators that programs are made of, a file per family; importing it fills the table."""

from . import (  # noqa: F401  # they register their operators
    broadcasting,
    casts,
    control_flow,
    elementwise,
    indexing,
    linear,
    normalization,
    recurrent,
    reduction,
    sequences,
    shape,
    windows,
)
