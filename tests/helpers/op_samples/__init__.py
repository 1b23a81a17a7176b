"""Samples of every operator, one file per family; tests/test_op_samples.py runs them all."""

from importlib import import_module

from .sample import Sample

FAMILIES = [
    "activations",
    "attention",
    "affine",
    "casts",
    "comparison",
    "concatenation",
    "convolution",
    "cumulative",
    "einsum",
    "elementwise",
    "gather",
    "image",
    "linear",
    "losses",
    "normalization",
    "pooling",
    "recurrent",
    "reduction",
    "regions",
    "resize",
    "sampling",
    "scatter",
    "shape",
    "signal",
    "softmax",
    "trigonometry",
]

SAMPLES: list[Sample] = [
    sample for family in FAMILIES for sample in import_module(f"{__name__}.{family}").SAMPLES
]
