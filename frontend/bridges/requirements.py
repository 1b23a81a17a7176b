"""Packages that are needed only where they are asked for; it installs none."""

from importlib.util import find_spec

from onnxgrad.compiler.errors import BackendUnavailableError


def require(package: str, caller: str) -> None:
    """Refuse to go on without a package; the message says how to install it."""
    if find_spec(package) is None:
        raise BackendUnavailableError(f"{caller} needs {package}: pip install {package}")
