"""Losses: each takes a graph and gives one that also reads a target and computes a scalar loss.

Sums and means are taken in at least float32. The argument is untouched.
"""

from typing import TYPE_CHECKING

from onnxgrad.compiler.graph.names import without_attribute

from .alignment import ctc
from .classification import binary_cross_entropy, cross_entropy
from .divergence import kl_divergence
from .labels import check_labels
from .regression import huber, l1, mse
from .similarity import cosine, info_nce
from .weighting import total

__all__ = [
    "binary_cross_entropy",
    "check_labels",
    "cosine",
    "cross_entropy",
    "ctc",
    "huber",
    "info_nce",
    "kl_divergence",
    "l1",
    "mse",
    "total",
]

if not TYPE_CHECKING:  # to a type checker it would say that any name is there
    __getattr__ = without_attribute(globals())
