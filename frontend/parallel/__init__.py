"""Several processes that train one model: what a run needs of them, and who provides it."""

from .group import ALONE, Group, find_group

__all__ = ["ALONE", "Group", "find_group"]
