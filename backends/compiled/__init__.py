"""What numba compiles for the backend of that name; nobody else imports it, as it needs numba."""

from . import winograd  # noqa: F401  # enters the table
from .elementwise import fuse_elementwise
from .registry import COMPILED

__all__ = ["COMPILED", "fuse_elementwise"]
