"""Batching rules, one file per operator family; a rule emits one node for a whole batch."""

from importlib import import_module

from .registry import BATCHING, Batch, Operand, Result, Shared

FAMILIES = ["axes", "elementwise", "images", "indexing", "linear", "products", "shape"]

for _family in FAMILIES:  # importing a file registers its rules
    import_module(f".{_family}", __name__)

__all__ = ["BATCHING", "Batch", "Operand", "Result", "Shared"]
