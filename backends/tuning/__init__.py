"""Forms of composites chosen by timing them where they will run."""

from .cache import Cache, default_folder
from .choice import Chosen, Tuning, tune

__all__ = ["Cache", "Chosen", "Tuning", "default_folder", "tune"]
