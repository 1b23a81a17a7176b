"""The demo: a convolutional GELU network, differentiated, trained on NumPy, replayed elsewhere."""

from .main import main

__all__ = ["main"]
