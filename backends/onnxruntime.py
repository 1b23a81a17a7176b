"""The fast CPU backend: the graph exported as plain ONNX, run by onnxruntime.

It neither rewrites operators nor lists what onnxruntime has kernels for.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..compiler.composites.form_choice import choose_form
from ..compiler.errors import GraphError, UnsupportedOpError
from ..compiler.graph.arguments import require_mapping
from ..compiler.graph.ir import Graph, Node
from ..compiler.graph.types import is_static
from ..compiler.passes.choose_forms import choose_forms
from ..compiler.passes.merge_updates import merge_updates
from ..compiler.passes.pipeline import run_passes
from ..compiler.passes.prepare import prepare_for
from .base import Executable, Stepper
from .failures import told_as_ours
from .feeds import check_feeds
from .onnxruntime_blocks import block_channels
from .onnxruntime_crossing import crossing, from_ort, to_ort
from .onnxruntime_hazards import OpenCalls, has_hazards, has_no_elements, never_has_elements
from .onnxruntime_kernels import best_opset, has_kernel, opsets
from .onnxruntime_providers import Provider, Settings, provider_names, read_settings
from .onnxruntime_rewrites import adapt
from .onnxruntime_sessions import Opened
from .onnxruntime_updates import UpdatingExecutable, take_out_updates
from .registry import find_backend
from .stepping import RunStepper


class OnnxruntimeBackend:
    """Runs what onnxruntime's CPU provider has kernels for, by other providers where asked."""

    name = "onnxruntime"
    native: frozenset[str] = frozenset()

    def why_unavailable(self) -> str | None:
        """Say how to install onnxruntime where it is missing."""
        return None if find_spec("onnxruntime") else "pip install onnxruntime"

    def supports(self, node: Node) -> bool:
        """Tell whether onnxruntime has a kernel for the operator and its types."""
        return any(has_kernel(node, opset) for opset in opsets())

    def choose_form(self, node: Node) -> str | None:
        """Name the form in which it runs a composite."""
        return choose_form(node)

    def providers(self) -> list[str]:
        """List what the installed onnxruntime can run on."""
        return provider_names()

    def prepare(
        self,
        graph: Graph,
        *,
        providers: Sequence[str | Provider] | None = None,
        options: Mapping[str, Any] | None = None,
        threads: int | None = None,
    ) -> Executable:
        """Export the graph at the opset that suits onnxruntime best and open a session on it.

        NumPy runs what onnxruntime refuses where no run could have elements in all inputs.

        Args:
            graph: the graph, unchanged by this.
            providers: what it runs on, the first choice first: names ("cuda", "cpu") or pairs of a
                name and the provider's options; the CPU takes what is left. By default the CPU.
            options: onnxruntime's session options by name, and entries such as
                {"session.intra_op.allow_spinning": 0}.
            threads: how many threads an operator may use.

        Raises:
            BackendUnavailableError: a provider is not installed, or does not start here.
            UnsupportedOpError: onnxruntime refuses the graph; what it lacks is named.
        """
        settings = read_settings(providers, options, threads)
        try:
            return self._prepared(graph, settings)
        except (GraphError, UnsupportedOpError):
            if not any(map(never_has_elements, graph.inputs)):
                raise
            return find_backend("numpy").prepare(graph)

    def _prepared(self, graph: Graph, settings: Settings) -> Executable:
        if settings.device[0] == "cpu" and "enable_profiling" not in settings.options:
            rest, updates = take_out_updates(graph)
            if updates:
                return UpdatingExecutable(graph, self._open(rest, settings), updates)
        return self._open(graph, settings)

    def _open(self, graph: Graph, settings: Settings) -> "OnnxruntimeExecutable":
        prepared = prepare_for(graph, self.native, passes=[choose_forms])
        run_passes(prepared, merge_updates)  # of bodies, too
        opset = best_opset(prepared)
        adapt(prepared, partial(has_kernel, opset=opset))
        hazards = has_hazards(prepared)
        if settings.is_plain:
            block_channels(prepared)
        opened = Opened(prepared, opset, settings)
        return OnnxruntimeExecutable(graph, opened, hazards, settings.device)


class OnnxruntimeExecutable:
    """An inference session with the graph's own inputs and outputs.

    Where an array without elements is fed, what onnxruntime refuses or dies of runs on NumPy.
    Threads may share it.
    """

    def __init__(
        self, graph: Graph, opened: Opened, hazards: bool, device: tuple[str, int]
    ) -> None:
        self.opened = opened
        self.device = device
        self._graph = graph
        self._hazards = hazards
        self.calls = OpenCalls(graph)
        self._numpy: Executable | None = None
        self.inputs = list(graph.inputs)
        self.outputs = list(graph.outputs)
        self._names = [v.name for v in graph.outputs]
        fed = {crossing(v.type) for v in graph.inputs}
        self._fed_bytes = [v.name for v in graph.inputs if crossing(v.type) == "bytes"]
        given = {crossing(v.type) for v in graph.outputs}
        self.is_plain = fed | given <= {"array"}
        self._gives_bytes = "bytes" in given
        if self._gives_bytes and "object" in fed | given:
            raise UnsupportedOpError(
                "onnxruntime cannot hand strings, sequences or optionals over beside outputs of "
                "bfloat16 and smaller floats; cast these outputs to float32"
            )

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name."""
        arrays = check_feeds(self.inputs, feeds)
        named = {v.name: a for v, a in zip(self.inputs, arrays, strict=True)}
        is_empty = any(map(has_no_elements, arrays))
        if is_empty and self._hazards or not self.calls.check(named):
            return self.run_on_numpy(named)
        try:
            return self._run(named)
        except GraphError:
            if not is_empty:
                raise
            return self.run_on_numpy(named)

    def _run(self, named: dict[str, Any]) -> dict[str, Any]:
        if self._gives_bytes:
            fed = {name: to_ort(array) for name, array in named.items()}
            with told_as_ours():
                values = self.opened.run(lambda s: s.run_with_ort_values(self._names, fed))
            results = map(from_ort, values)
        else:
            fed = {n: to_ort(a) if n in self._fed_bytes else a for n, a in named.items()}
            with told_as_ours():
                results = self.opened.run(lambda s: s.run(self._names, fed))
        return dict(zip(self._names, results, strict=True))

    def run_on_numpy(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run without onnxruntime."""
        if self._numpy is None:
            self._numpy = find_backend("numpy").prepare(self._graph)
        return self._numpy.run(feeds)

    def stepper(self, feedback: Mapping[str, str], state: Mapping[str, Any]) -> Stepper:
        """Feed outputs back without a copy; what is not a plain tensor goes the plain way."""
        is_plain = self.is_plain and not self.calls.hang_on_ranks
        if is_plain and self.device[0] == "cpu":
            return self.bound_stepper(feedback, state)
        if is_plain and not self.calls.hang_on_numbers:
            return DeviceStepper(self, feedback, state)
        return RunStepper(self, feedback, state)

    def bound_stepper(
        self,
        feedback: Mapping[str, str],
        state: Mapping[str, Any],
        held: Mapping[str, np.ndarray] | None = None,
        lent: Collection[str] = (),
    ) -> "BoundStepper":
        """Feed outputs back between bound buffers.

        Args:
            feedback: {input: output}.
            state: the first arrays.
            held: arrays of other inputs, read where they lie; who gave them may write over them
                between two runs.
            lent: outputs that are given in the buffer that the next run fills.
        """
        return BoundStepper(self, feedback, state, held or {}, lent)


class BoundStepper:
    """Steps whose state lives in two sets of buffers, read and written in turn."""

    def __init__(
        self,
        executable: OnnxruntimeExecutable,
        feedback: Mapping[str, str],
        state: Mapping[str, Any],
        held: Mapping[str, np.ndarray],
        lent: Collection[str],
    ) -> None:
        self._executable = executable
        self._opened = executable.opened
        self._feedback = feedback
        self._held = held
        self._lent = lent
        known = {*feedback, *held}
        self._inputs = [v for v in executable.inputs if v.name not in known]
        read, write = ({n: np.array(a, order="C") for n, a in state.items()} for _ in range(2))
        self._states = (read, write)
        self._staged: dict[str, np.ndarray] = {}
        self._is_empty = False
        self._checks_numbers = executable.calls.hang_on_numbers
        fed_back = set(feedback.values())
        results = [v for v in executable.outputs if v.name not in fed_back]
        self._fixed: dict[str, np.ndarray] = {}
        for value in results:
            if is_static(value.shape):
                sizes = [int(d) for d in value.shape or ()]
                self._fixed[value.name] = np.empty(sizes, value.dtype)
        self._allocated = [v.name for v in results if v.name not in self._fixed]
        self._order = [v.name for v in results]
        self._turn = 0
        self._bind_to(self._opened.session)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name."""
        self._stage(feeds)
        if self._is_empty:
            return self._run_without_elements(feeds)
        with told_as_ours():
            self._opened.run(self._run_bound)
        binding = self._bindings[self._turn]
        self._turn = 1 - self._turn
        results = {n: b if n in self._lent else b.copy() for n, b in self._fixed.items()}
        if self._allocated:
            last = binding.get_outputs()[-len(self._allocated) :]
            results |= {n: v.numpy() for n, v in zip(self._allocated, last, strict=True)}
            results = {name: results[name] for name in self._order}
        return results

    def _run_without_elements(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run off the buffers, and fill those that the next run reads."""
        results = self._executable.run({**feeds, **self._held, **self._states[self._turn]})
        self._turn = 1 - self._turn
        for name, output in self._feedback.items():
            self._states[self._turn][name][...] = results[output]
        return {name: results[name] for name in self._order}

    def _run_bound(self, session: Any) -> None:
        if session is not self._session:
            self._bind_to(session)
        binding = self._bindings[self._turn]
        for name in self._allocated:
            binding.bind_output(name, "cpu")  # else the last step's buffer would be overwritten
        session.run_with_iobinding(binding)

    def _bind_to(self, session: Any) -> None:
        """Bind the buffers to a session, each set as what is read in one turn."""
        self._session = session
        self._bindings = tuple(session.io_binding() for _ in self._states)
        turns = (self._states, self._states[::-1])
        for binding, (before, after) in zip(self._bindings, turns, strict=True):
            for name, output in self._feedback.items():
                _bind(binding.bind_input, name, before[name])
                _bind(binding.bind_output, output, after[name])
            for name, buffer in (*self._staged.items(), *self._held.items()):
                _bind(binding.bind_input, name, buffer)
            for name, buffer in self._fixed.items():
                _bind(binding.bind_output, name, buffer)
            for name in self._allocated:
                binding.bind_output(name, "cpu")

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        return {name: array.copy() for name, array in self._states[self._turn].items()}

    def _stage(self, feeds: Mapping[str, Any]) -> None:
        """Copy the feeds to where they are bound; bind again where a shape is new."""
        if self._stage_alike(feeds):
            return
        arrays = check_feeds(self._inputs, require_mapping(feeds, "feeds"))
        fed = {v.name: a for v, a in zip(self._inputs, arrays, strict=True)}
        self._executable.calls.check({**self._states[self._turn], **self._held, **fed})
        for value, array in zip(self._inputs, arrays, strict=True):
            buffer = self._staged.get(value.name)
            if buffer is None or buffer.shape != array.shape:
                self._staged[value.name] = buffer = np.array(array, order="C")
                for binding in self._bindings:
                    _bind(binding.bind_input, value.name, buffer)
            buffer[...] = array
        self._is_empty = any(map(has_no_elements, self._staged.values()))

    def _stage_alike(self, feeds: Any) -> bool:
        """Copy feeds that are like the last ones, without a check more than that takes."""
        if type(feeds) is not dict or len(feeds) != len(self._inputs) or self._checks_numbers:
            return False
        for name, array in feeds.items():
            buffer = self._staged.get(name)
            if (
                buffer is None
                or type(array) is not np.ndarray
                or array.dtype != buffer.dtype
                or array.shape != buffer.shape
            ):
                return False
            buffer[...] = array
        return True


class DeviceStepper:
    """Steps whose state stays in the device's memory."""

    def __init__(
        self,
        executable: OnnxruntimeExecutable,
        feedback: Mapping[str, str],
        state: Mapping[str, Any],
    ) -> None:
        self._executable = executable
        self._inputs = [v for v in executable.inputs if v.name not in feedback]
        self._outputs = [v.name for v in executable.outputs]
        self._fed_back = {output: name for name, output in feedback.items()}
        self._state: dict[str, Any] = {}
        self._keep(state)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name."""
        arrays = check_feeds(self._inputs, feeds)
        fed = {v.name: np.ascontiguousarray(a) for v, a in zip(self._inputs, arrays, strict=True)}
        if any(map(has_no_elements, arrays)):
            results = self._executable.run({**fed, **self.state()})
            self._keep({name: results[output] for output, name in self._fed_back.items()})
        else:
            self._executable.calls.check({**self._state, **fed})
            with told_as_ours():
                values = self._executable.opened.run(lambda session: self._run_bound(session, fed))
            results = dict(zip(self._outputs, values, strict=True))
            self._state = {name: results[output] for output, name in self._fed_back.items()}
        kept = {n: r for n, r in results.items() if n not in self._fed_back}
        return {n: r if isinstance(r, np.ndarray) else r.numpy() for n, r in kept.items()}

    def _run_bound(self, session: Any, fed: Mapping[str, np.ndarray]) -> list[Any]:
        binding = session.io_binding()
        for name, array in fed.items():
            binding.bind_cpu_input(name, array)
        for name, value in self._state.items():
            binding.bind_ortvalue_input(name, value)
        for name in self._outputs:
            place = self._executable.device if name in self._fed_back else ("cpu", 0)
            binding.bind_output(name, *place)
        session.run_with_iobinding(binding)
        found: list[Any] = binding.get_outputs()
        return found

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        return {name: np.array(value.numpy()) for name, value in self._state.items()}

    def _keep(self, state: Mapping[str, Any]) -> None:
        """Bring arrays to the device; they are copied, also where that is the host."""
        import onnxruntime as ort  # loads only when it is used

        place = ort.OrtValue.ortvalue_from_numpy
        device = self._executable.device
        self._state = {name: place(np.array(a, order="C"), *device) for name, a in state.items()}


def _bind(bind: Any, name: str, array: np.ndarray) -> None:
    bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)


BACKEND = OnnxruntimeBackend()
