"""Graphs whose arrays are all small: each becomes one compiled function of loops over elements.

Importing this package fills the table of writers, one file per operator family.
"""

from . import casts, indexing, losses, moves, normalization, products, reductions, softmax, updates
from .compilation import compile_small
from .executable import SmallExecutable

__all__ = [
    "SmallExecutable",
    "casts",
    "compile_small",
    "indexing",
    "losses",
    "moves",
    "normalization",
    "products",
    "reductions",
    "softmax",
    "updates",
]
