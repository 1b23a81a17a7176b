"""Operator kernels written once for NumPy and CuPy; a kernel imports neither."""

from importlib import import_module

# importing a file registers its kernels
for _family in (
    "activations",
    "affine",
    "convolution",
    "detection",
    "elementwise",
    "image",
    "indexing",
    "linear",
    "ml",
    "normalization",
    "pooling",
    "quantization",
    "randomness",
    "recurrent",
    "reduction",
    "sequences",
    "resize",
    "shape",
    "softmax",
    "text",
    "updates",
):
    import_module(f".{_family}", __name__)
