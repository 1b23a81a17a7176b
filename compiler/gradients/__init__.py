"""Gradient rules, one file per operator family, and the door to the engine that applies them.

Importing this package fills the table of rules, so whoever differentiates imports the engine from
here. A rule emits operators and never runs them.
"""

from ..differentiation.forward import push_forward
from ..differentiation.reverse import backpropagate
from ..differentiation.rules import (
    REFUSED_GRADIENT,
    RULES,
    ZERO_GRADIENT,
    ZeroKind,
)
from . import (
    activations,
    affine,
    casts,
    comparison,
    concatenation,
    control_flow,
    convolution,
    cumulative,
    einsum,
    elementwise,
    gather,
    image,
    linear,
    losses,
    ml,
    normalization,
    pooling,
    randomness,
    reduction,
    resize,
    scatter,
    sequences,
    shape,
    signal,
    softmax,
    trigonometry,
    zero,
)

__all__ = [
    "REFUSED_GRADIENT",
    "RULES",
    "ZERO_GRADIENT",
    "ZeroKind",
    "activations",
    "affine",
    "casts",
    "comparison",
    "concatenation",
    "control_flow",
    "convolution",
    "cumulative",
    "einsum",
    "elementwise",
    "gather",
    "image",
    "linear",
    "losses",
    "ml",
    "normalization",
    "pooling",
    "randomness",
    "reduction",
    "resize",
    "scatter",
    "sequences",
    "shape",
    "signal",
    "softmax",
    "trigonometry",
    "zero",
    "backpropagate",
    "push_forward",
]
