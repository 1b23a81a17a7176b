"""What a backend is: the protocols that NumPy, CuPy, onnxruntime and third parties implement."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ..compiler.graph.ir import Graph, Node


class Executable(Protocol):
    """A graph made ready to run on one backend."""

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name.

        Sequences are lists, an empty optional is None.

        Raises:
            GraphError: an input is missing, surplus, or of a wrong dtype or shape.
        """
        ...


class Stepper(Protocol):
    """A graph run again and again, some outputs fed back to inputs at the next run."""

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name."""
        ...

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        ...


@runtime_checkable
class SteppingExecutable(Executable, Protocol):
    """An executable that has a faster way to repeat than running again."""

    def stepper(self, feedback: Mapping[str, str], state: Mapping[str, Any]) -> Stepper:
        """Feed outputs back: `feedback` is {input: output}, `state` holds the first arrays."""
        ...


class Backend(Protocol):
    """Something that runs graphs."""

    name: str
    native: frozenset[str]
    """The composites it runs itself; the others are expanded before it sees them."""

    def why_unavailable(self) -> str | None:
        """Say what is missing here, None where the backend can run."""
        ...

    def supports(self, node: Node) -> bool:
        """Tell whether it can run this node, its dtypes included."""
        ...

    def prepare(self, graph: Graph) -> Executable:
        """Make a graph ready to run; the graph is left as it is.

        It may take keywords, which are the options of `compile`.
        """
        ...


@runtime_checkable
class ChoosingBackend(Backend, Protocol):
    """A backend that has several things to run on."""

    def providers(self) -> list[str]:
        """List what it can run on here."""
        ...


@runtime_checkable
class FormChoosingBackend(Backend, Protocol):
    """A backend that runs some composites in another form than the default."""

    def choose_form(self, node: Node) -> str | None:
        """Name the form in which it runs a composite; None: the default."""
        ...
