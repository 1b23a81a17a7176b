"""Forms of composites chosen by timing them where they will run."""

from .cache import Cache, default_folder
from .choice import tune
from .report import Chosen, Tuning

__all__ = ["Cache", "Chosen", "Tuning", "default_folder", "tune"]
