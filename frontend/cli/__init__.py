"""The command `onnxgrad`: each command reads arguments, calls the public face and prints."""

from . import demo, execute, models, operators
from .application import app

__all__ = ["app", "demo", "execute", "main", "models", "operators"]


def main() -> None:
    """Run the command line."""
    app()
