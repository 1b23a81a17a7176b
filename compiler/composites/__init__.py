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
    "updates",
]

CONTRIB = [
    "activations",
    "attention",
    "convolution",
    "normalization",
    "others",
    "packed",
    "products",
    "quantized",
    "recurrent",
    "rotation",
]
"""Families of the operators that onnxruntime adds to ONNX's."""

for _family in [
    *FAMILIES,
    *(f"contrib.{name}" for name in CONTRIB),
]:  # importing a file registers its forms
    import_module(f".{_family}", __name__)

__all__ = ["FORMS", "STANDARD_BODIES", "Body", "find_body", "form"]
