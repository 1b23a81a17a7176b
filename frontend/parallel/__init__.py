"""Several processes that train one model: what a run needs of them, and who provides it."""

from typing import TYPE_CHECKING

from onnxgrad.compiler.graph.names import without_attribute

from .group import ALONE, Group, find_group

__all__ = ["ALONE", "Group", "find_group"]

if not TYPE_CHECKING:  # to a type checker it would say that any name is there
    __getattr__ = without_attribute(globals())
