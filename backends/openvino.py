"""A CPU backend on oneDNN: the graph exported as plain ONNX, compiled by OpenVINO."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np

from ..compiler.composites.form_choice import choose_light_form
from ..compiler.errors import GraphError
from ..compiler.graph.arguments import require_count, require_mapping
from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.types import is_static
from .base import Executable, Stepper
from .failures import told_as_ours
from .feeds import check_feeds
from .onnxruntime_hazards import has_no_elements
from .open_sizes import OpenSizes
from .openvino_models import open_model
from .registry import find_backend
from .stepping import RunStepper


class OpenvinoBackend:
    """Runs what OpenVINO converts from ONNX and computes in the dtype that the graph says."""

    name = "openvino"
    native: frozenset[str] = frozenset()

    def why_unavailable(self) -> str | None:
        """Say how to install OpenVINO where it is missing."""
        return None if find_spec("openvino") else "pip install 'onnxgrad[openvino]'"

    def supports(self, node: Node) -> bool:
        """Leave it to OpenVINO, which has no list: `prepare` tells."""
        return True

    def choose_form(self, node: Node) -> str | None:
        """Name the form in which it runs a composite."""
        return choose_light_form(node)

    def prepare(self, graph: Graph, *, threads: int | None = None) -> "OpenvinoExecutable":
        """Compile the graph for the CPU.

        Args:
            graph: the graph, unchanged by this.
            threads: how many threads it may use; by default as many as there are cores.

        Raises:
            UnsupportedOpError: OpenVINO refuses the graph, or would compute it in fewer bits.
        """
        count = None if threads is None else require_count(threads, "threads", 1)
        return OpenvinoExecutable(graph, open_model(graph, count))


class OpenvinoExecutable:
    """A compiled model with the graph's own inputs and outputs.

    Where an array without elements is fed, the graph runs on NumPy: that is more than OpenVINO
    promises.
    """

    def __init__(self, graph: Graph, compiled: Any) -> None:
        self.compiled = compiled
        self._graph = graph
        self.sizes = OpenSizes(graph)
        self._numpy: Executable | None = None
        self.inputs = list(graph.inputs)
        self.outputs = list(graph.outputs)
        self.places = {n: k for k, end in enumerate(compiled.inputs) for n in end.get_names()}
        """Where OpenVINO takes each input; one that nothing reads may have no place."""
        self._request = compiled.create_infer_request()
        self._lock = Lock()

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name."""
        arrays = fitting(self.inputs, feeds)
        named = {v.name: a for v, a in zip(self.inputs, arrays, strict=True)}
        if any(map(has_no_elements, arrays)):
            return self.run_on_numpy(named)
        self.sizes.check(named)
        with told_as_ours(), self._lock:
            fed = {
                self.places[name]: np.asarray(array, order="C")
                for name, array in named.items()
                if name in self.places
            }
            self._request.infer(fed, share_inputs=True)
            return {v.name: output_of(self._request, k) for k, v in enumerate(self.outputs)}

    def run_on_numpy(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run without OpenVINO."""
        if self._numpy is None:
            self._numpy = find_backend("numpy").prepare(self._graph)
        return self._numpy.run(feeds)

    def stepper(self, feedback: Mapping[str, str], state: Mapping[str, Any]) -> Stepper:
        """Feed outputs back without a copy where their shapes are known."""
        ends = {v.name: v for v in [*self.inputs, *self.outputs]}
        names = [*feedback, *feedback.values()]
        if all(is_static(ends[name].shape) for name in names) and not any(
            map(has_no_elements, state.values())
        ):
            return TwoRequests(self, feedback, state)
        return RunStepper(self, feedback, state)


class TwoRequests:
    """Steps by two requests in turn: what one writes the other reads.

    All tensors are OpenVINO's own: arrays of NumPy's as outputs have crashed it.
    """

    def __init__(
        self, executable: OpenvinoExecutable, feedback: Mapping[str, str], state: Mapping[str, Any]
    ) -> None:
        self._executable = executable
        self._feedback = feedback
        given = {v.name: k for k, v in enumerate(executable.outputs)}
        self._inputs = [v for v in executable.inputs if v.name not in feedback]
        fed_back = set(feedback.values())
        self._results = [v for v in executable.outputs if v.name not in fed_back]
        self._requests = [executable.compiled.create_infer_request() for _ in range(2)]
        self._fixed = [
            Held(np.empty(v.shape, v.dtype)) if is_static(v.shape) else None for v in self._results
        ]
        self._given = [given[v.name] for v in self._results]
        read, write = ({n: Held(a) for n, a in state.items()} for _ in range(2))
        self._states = (read, write)
        turns = (self._states, self._states[::-1])
        for request, (before, after) in zip(self._requests, turns, strict=True):
            for name, output in feedback.items():
                self._hand_over(request, name, before[name])
                request.set_output_tensor(given[output], after[name].tensor)
            for k, held in zip(self._given, self._fixed, strict=True):
                if held is not None:
                    request.set_output_tensor(k, held.tensor)
        self._staged: dict[str, Held] = {}
        self._turn = 0

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name."""
        arrays = fitting(self._inputs, require_mapping(feeds, "feeds"))
        if any(map(has_no_elements, arrays)):
            return self._run_without_elements(dict(feeds))
        state = {name: held.array for name, held in self._states[self._turn].items()}
        fed = {v.name: a for v, a in zip(self._inputs, arrays, strict=True)}
        self._executable.sizes.check(state | fed)
        for value, array in zip(self._inputs, arrays, strict=True):
            self._stage(value.name, array)
        request = self._requests[self._turn]
        with told_as_ours():
            request.infer()
        self._turn = 1 - self._turn
        outputs = zip(self._results, self._given, self._fixed, strict=True)
        return {
            v.name: output_of(request, k) if held is None else held.array.copy()
            for v, k, held in outputs
        }

    def _stage(self, name: str, array: np.ndarray) -> None:
        """Copy an array to where both requests read it."""
        held = self._staged.get(name)
        if held is None or held.array.shape != array.shape:
            self._staged[name] = held = Held(array)
            for request in self._requests:
                self._hand_over(request, name, held)
        else:
            held.array[...] = array

    def _hand_over(self, request: Any, name: str, held: "Held") -> None:
        place = self._executable.places.get(name)
        if place is not None:
            request.set_input_tensor(place, held.tensor)

    def _run_without_elements(self, feeds: dict[str, Any]) -> dict[str, Any]:
        results = self._executable.run_on_numpy({**feeds, **self.state()})
        for name, output in self._feedback.items():
            self._states[self._turn][name].array[...] = results[output]
        return {v.name: results[v.name] for v in self._results}

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        return {name: held.array.copy() for name, held in self._states[self._turn].items()}


class Held:
    """A tensor in memory of OpenVINO's, and the array that shows it."""

    def __init__(self, array: np.ndarray) -> None:
        openvino: Any = import_module("openvino")  # loads only when it is used
        self.tensor = openvino.Tensor(openvino.Type(array.dtype), openvino.Shape(array.shape))
        self.array: np.ndarray = self.tensor.data
        self.array[...] = array


def fitting(inputs: Sequence[Value], feeds: Mapping[str, Any]) -> list[np.ndarray]:
    """Give the fed arrays in order; refuse integers that OpenVINO would cut to 32 bits."""
    arrays = check_feeds(inputs, feeds)
    for value, array in zip(inputs, arrays, strict=True):
        if array.dtype == np.int64 and array.size:
            for extreme in (int(array.min()), int(array.max())):
                if abs(extreme) > _LARGEST:
                    raise GraphError(
                        f"'{value.name}' holds {extreme}; OpenVINO computes int64 in 32 bits"
                    )
    return arrays


_LARGEST = int(np.iinfo(np.int32).max)


def output_of(request: Any, k: int) -> np.ndarray:
    """Copy an output out of a request."""
    tensor = request.get_output_tensor(k)
    return np.array(tensor.data).reshape(tuple(tensor.shape))


BACKEND = OpenvinoBackend()
