"""How a graph runs: NumPy, CuPy and onnxruntime, behind one protocol; it rewrites nothing."""

from .registry import available_backends, find_backend

__all__ = ["available_backends", "find_backend"]
