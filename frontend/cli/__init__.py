"""The command `onnxgrad`: each command reads arguments, calls the public face and prints."""

from . import execute, models, operators
from .app import app

__all__ = ["app", "execute", "main", "models", "operators"]


def main() -> None:
    """Run the command line."""
    app()
