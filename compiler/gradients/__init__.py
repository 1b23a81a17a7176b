"""Gradient rules, one file per operator family; a rule emits operators and never runs them."""

from importlib import import_module

from ..differentiation.rules import (
    BODY_WHERE,
    REFUSED_GRADIENT,
    RULES,
    TANGENT_RULES,
    ZERO_GRADIENT,
    Entries,
    Entry,
    Refused,
    Rule,
    gradient,
)

FAMILIES = [
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
]

for _family in FAMILIES:  # importing a file registers its rules
    import_module(f".{_family}", __name__)

__all__ = [
    "BODY_WHERE",
    "REFUSED_GRADIENT",
    "RULES",
    "TANGENT_RULES",
    "ZERO_GRADIENT",
    "Entries",
    "Entry",
    "Refused",
    "Rule",
    "gradient",
]
