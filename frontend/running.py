"""Compile a graph for a backend and call it like a function."""

from typing import Any

from onnxgrad.backends import find_backend
from onnxgrad.backends.base import Executable
from onnxgrad.compiler.ir import Graph


class Compiled:
    """A graph made ready to run: `f(x=array)` gives the outputs by name."""

    def __init__(self, graph: Graph, executable: Executable, backend: str) -> None:
        self.graph = graph
        self.backend = backend
        self._executable = executable

    def __call__(self, **feeds: Any) -> dict[str, Any]:
        """Run on arrays by input name, for names that are Python names; see `run`."""
        return self._executable.run(feeds)

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name.

        Raises:
            GraphError: an input is missing, surplus, or of a wrong dtype or shape.
        """
        return self._executable.run(feeds)


def compile(graph: Graph, backend: str = "numpy") -> Compiled:  # noqa: A001  # the public name
    """Make a graph ready to run on a backend: "numpy", "cupy", "onnxruntime" or a registered one.

    Raises:
        BackendUnavailableError: its library or device is missing; the message says what to install.
    """
    return Compiled(graph, find_backend(backend).prepare(graph), backend)
