"""Batches in parts: where values hold examples, one file of rules per operator family."""

from importlib import import_module

from .parted import PREFIX, Parted, Sum
from .registry import Total
from .walk import part_batch

FAMILIES = [
    "axes", "control_flow", "elementwise", "images", "indexing", "joining", "layout", "products",
    "sums",
]  # fmt: skip

for _family in FAMILIES:  # importing a file registers its rules
    import_module(f".{_family}", __name__)

__all__ = ["PREFIX", "Parted", "Sum", "Total", "part_batch"]
