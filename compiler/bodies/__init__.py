"""Bodies of standard operators for which ONNX has none, as ONNX's function operators have them.

They serve where an operator is differentiated that has no rule, and where a backend lacks a kernel.
"""

from importlib import import_module

from .registry import BODIES, body

FAMILIES = [
    "regions",
    "sampling",
    "signal",
]

for _family in FAMILIES:  # importing a file registers its bodies
    import_module(f".{_family}", __name__)

__all__ = ["BODIES", "body"]
