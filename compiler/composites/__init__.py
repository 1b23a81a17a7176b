"""Composite operators: ours, each with bodies of standard ONNX operators; none runs anything."""

from importlib import import_module

from .registry import FORMS, STANDARD_BODIES, Body, find_body, form

FAMILIES = [
    "activations",
    "attention",
    "broadcasting",
    "causal_convolution",
    "convolution",
    "convolution_weight",
    "factors",
    "indexing",
    "iterate",
    "losses",
    "ml",
    "normalization",
    "pooling",
    "quantization",
    "recurrent",
    "reduction",
    "regions",
    "resize",
    "sampling",
    "sequences",
    "signal",
    "softmax",
]

for _family in FAMILIES:  # importing a file registers its forms
    import_module(f".{_family}", __name__)

__all__ = ["FORMS", "STANDARD_BODIES", "Body", "find_body", "form"]
