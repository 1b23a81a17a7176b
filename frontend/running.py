"""Compile a graph for a backend and call it like a function."""

import json
from collections.abc import Iterable, Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any

from onnxgrad.backends import find_backend
from onnxgrad.backends.base import Backend, Executable
from onnxgrad.backends.base import Stepper as BackendStepper
from onnxgrad.backends.stepping import make_stepper
from onnxgrad.compiler.emission.naming import STATE_KEY
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_flag, require_graph
from onnxgrad.compiler.graph.ir import Graph

if TYPE_CHECKING:
    from onnxgrad.backends.tuning import Tuning


def require_by_name(arrays: tuple[Any, ...], graph: Graph) -> None:
    """Refuse arrays by position: the order of a graph's inputs is nobody's promise."""
    if arrays:
        name = next((v.name for v in graph.inputs), "x")
        raise GraphError(f"arrays go by name, {name}=array or run({{'{name}': array}})")


class Stepper:
    """A graph that is run again and again: `step(x=array)` feeds its new state back to itself.

    Example:
        >>> step = og.compile(og.train_step(g, "loss", og.optim.SGD(0.1))).stepper()
        >>> for x, labels in batches:
        ...     loss = step(x=x, labels=labels)["loss"]
        >>> trained = step.state()
    """

    def __init__(self, stepper: BackendStepper, graph: Graph) -> None:
        self._stepper = stepper
        self._graph = graph
        self.run = stepper.run
        self.state = stepper.state

    def __call__(self, *arrays: Any, **feeds: Any) -> dict[str, Any]:
        """Run on arrays for the inputs that are not fed back; give the other outputs by name."""
        require_by_name(arrays, self._graph)
        return self._stepper.run(feeds)

    def __repr__(self) -> str:
        return f"Stepper({self._graph!r})"


class Compiled:
    """A graph made ready to run: `f(x=array)` gives the outputs by name.

    `tuning` tells what `tune=True` chose; print it.
    """

    def __init__(
        self, graph: Graph, executable: Executable, backend: str, tuning: "Tuning | None" = None
    ) -> None:
        self.graph = graph
        self.backend = backend
        self.tuning = tuning
        self._executable = executable

    def __call__(self, *arrays: Any, **feeds: Any) -> dict[str, Any]:
        """Run on arrays by input name, for names that are Python names; see `run`."""
        require_by_name(arrays, self.graph)
        return self.run(feeds)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name.

        Raises:
            GraphError: an input is missing, surplus, or of a wrong dtype or shape.
        """
        try:
            return self._executable.run(feeds)
        except GraphError as error:
            if missing := _missing_state(self.graph, feeds):
                raise GraphError(
                    f"missing: {', '.join(missing)}. This is a training step, read from a file "
                    "without the first values of its state: feed what its start graph gives "
                    "(og.start_graph made it where the step was made), or arrays of your own; "
                    ".stepper(state) then feeds new ones back"
                ) from error
            raise

    def __repr__(self) -> str:
        return f"Compiled({self.graph!r} on {self.backend})"

    def stepper(
        self,
        state: Mapping[str, Any] | None = None,
        feedback: Mapping[str, str] | None = None,
    ) -> Stepper:
        """Run repeatedly, outputs fed back to inputs: the fast way to run a training step.

        Args:
            state: the first arrays by input name; by default the inputs' own default values.
            feedback: {input: output}; by default each output "<input>.new" goes to its input.

        Raises:
            GraphError: a name is unknown, the types of a pair differ, or a first array is missing.
        """
        return Stepper(make_stepper(self.graph, self._executable, feedback, state), self.graph)


def _missing_state(graph: Graph, feeds: Any) -> list[str]:
    """List the state of a training step that has no value and is not fed."""
    if STATE_KEY not in graph.metadata or not isinstance(feeds, Mapping):
        return []
    try:
        state = dict(json.loads(graph.metadata[STATE_KEY])).keys() - feeds.keys()
    except (TypeError, ValueError):
        return []  # it is no step of ours
    return [v.name for v in graph.inputs if v.name in state and v.constant is None]


def require_backend(name: str, options: Iterable[str]) -> Backend:
    """Give a backend that takes these options, see `compile`."""
    found = find_backend(name)
    parameters = signature(found.prepare).parameters.values()
    taken = [p.name for p in parameters if p.kind == p.KEYWORD_ONLY]
    if wrong := [option for option in options if option not in taken]:
        raise GraphError(
            f"the backend '{name}' takes no option {', '.join(wrong)}; it takes "
            f"{', '.join(taken) or 'none'}"
        )
    return found


def compile(  # noqa: A001  # the public name
    graph: Graph, backend: str = "numpy", *, tune: bool = False, **options: Any
) -> Compiled:
    """Make a graph ready to run on a backend.

    Args:
        graph: any graph.
        backend: its name: "numpy", "numba", "onnxruntime", "openvino", "cupy" or a registered one.
        tune: choose the forms of gradients by timing them here, each alone, 50 ms for each form,
            then in the whole graph; winners are kept in the user's cache, for this processor,
            runtime and thread count. What has a size without a number is not timed. `.tuning` of
            the result tells what was chosen.
        options: what the backend takes. That is for onnxruntime `providers`, names such as "cuda"
            or pairs of a name and options, the first choice first; `options`, its session options
            by name; for onnxruntime and openvino `threads`, how many an operator may use.

    On numba this takes seconds: it compiles loops for the graph.

    Raises:
        BackendUnavailableError: its library or device is missing; the message says what to install.
        GraphError: the backend takes no such option.
    """
    found = require_backend(backend, options)
    require_graph(graph)
    if not require_flag(tune, "tune"):
        return Compiled(graph, found.prepare(graph, **options), backend)
    from .tuning import tuned, warn_of_left  # loads only when it is asked for

    chosen, tuning = tuned(graph, found, options)
    warn_of_left(tuning)
    return Compiled(graph, found.prepare(chosen, **options), backend, tuning)
