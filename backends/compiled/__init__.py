"""What numba compiles for the backend of that name; nobody else imports it, as it needs numba."""

from . import normalization, winograd  # noqa: F401  # enter the table
from .elementwise import fuse_elementwise
from .registry import COMPILED
from .small import SmallExecutable, compile_small

__all__ = ["COMPILED", "SmallExecutable", "compile_small", "fuse_elementwise"]
