"""The GPU backend: the same kernels on CuPy arrays; the rest runs on the host, with a warning."""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from ..compiler.graph.ir import Graph, Node, Value
from ..compiler.graph.types import TensorType
from ..compiler.passes.prepare import prepare_for
from .base import Stepper
from .failures import told_as_ours
from .interpreter import Interpreter, native_composites, runs_as_it_is
from .kernels.late_checks import at_place, late_checks
from .kernels.registry import KERNELS, Kernel, KernelDoesNotApply, KernelEntry
from .reference import reference_kernel
from .stepping import RunStepper

HOST_PARAMETERS = frozenset(
    "axes axis depth ends k pads position ratio repeats scales shape size sizes split starts"
    " steps training_mode w_shape x_shape".split()
)
"""Kernels read these inputs as Python numbers: they stay on the host."""

Function = Callable[..., Any]


class HostFallbackWarning(UserWarning):
    """An operator runs on the host, so its values travel from the GPU and back."""


class Gpu:
    """The current CUDA device."""

    binds = False  # a launch takes longer than the checks

    def __init__(self) -> None:
        import cupy  # loads only when it is used

        self.xp: Any = cupy

    def load(self, value: Any) -> Any:
        """Bring a value to the GPU; dtypes that CuPy lacks stay on the host."""
        if isinstance(value, list):
            return [self.load(v) for v in value]
        if isinstance(value, np.ndarray | np.generic):
            return self.xp.asarray(value) if _fits(value.dtype) else value
        return value

    def unload(self, value: Any) -> Any:
        """Bring a value to the host."""
        if isinstance(value, list):
            return [self.unload(v) for v in value]
        return self.xp.asnumpy(value) if isinstance(value, self.xp.ndarray) else value

    def place(self, constant: np.ndarray, consumers: Sequence[tuple[Node, int]]) -> Any:
        """Bring a constant to the GPU unless all its consumers read it on the host."""
        stays = bool(consumers) and all(k in _host_places(n) for n, k in consumers)
        return constant if stays else self.load(constant)

    def entry(self, node: Node) -> KernelEntry | None:
        """Look the kernel up in the table."""
        return KERNELS.get((node.domain, node.op_type))

    def kernel(self, node: Node, entry: KernelEntry, attributes: Mapping[str, Any]) -> Function:
        """Run a kernel on the GPU, or on the host where dtypes or CuPy do not let it."""
        function = entry.function
        on_host = self._on_host(partial(function, np, **attributes))
        if not all(_fits_type(v) for v in (*node.inputs, *node.outputs)):
            _warn(node, "CuPy lacks a dtype")
            return on_host
        places, place = _host_places(node), f"while running {node.label}: "

        def run(*inputs: Any) -> Any:
            given = [self.unload(a) if k in places else a for k, a in enumerate(inputs)]
            try:
                with at_place(place):
                    return function(self.xp, *given, **attributes)
            except KernelDoesNotApply:
                raise
            except (NotImplementedError, TypeError) as error:  # how CuPy says that it lacks a thing
                _warn(node, str(error))
                return on_host(*inputs)

        return run

    def reference(self, node: Node) -> Function:
        """Run ONNX's reference on the host."""
        _warn(node, "no kernel applies")
        return self._on_host(reference_kernel(node))

    def _on_host(self, function: Function) -> Function:
        def run(*inputs: Any) -> Any:
            results = function(*map(self.unload, inputs))
            if isinstance(results, tuple):
                return tuple(map(self.load, results))
            return self.load(results)

        return run


class CupyExecutable:
    """A graph on the GPU; it gives NumPy arrays unless it was fed arrays of the GPU."""

    def __init__(self, graph: Graph, gpu: Gpu, calls: Graph) -> None:
        self._gpu = gpu
        self._interpreter = Interpreter(graph, gpu, calls)

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name.

        Raises:
            GraphError: an index is out of range, too: that is known once all has run.
        """
        with told_as_ours(), late_checks(self._gpu.xp):
            results = self._interpreter.run(feeds)
        if any(isinstance(a, self._gpu.xp.ndarray) for a in feeds.values()):
            return results
        return {name: self._gpu.unload(result) for name, result in results.items()}

    def stepper(self, feedback: Mapping[str, str], state: Mapping[str, Any]) -> Stepper:
        """Feed outputs back without leaving the GPU."""
        return _GpuStepper(self, self._gpu, feedback, state)


class _GpuStepper(RunStepper):
    """Steps whose state stays on the GPU."""

    def __init__(
        self,
        executable: CupyExecutable,
        gpu: Gpu,
        feedback: Mapping[str, str],
        state: Mapping[str, Any],
    ) -> None:
        super().__init__(executable, feedback, {n: gpu.load(a) for n, a in state.items()})
        self._unload = gpu.unload

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name, on the host."""
        return {name: self._unload(result) for name, result in super().run(feeds).items()}

    def state(self) -> dict[str, Any]:
        """Give what the next run will read, by input name, on the host."""
        return {name: np.array(self._unload(array)) for name, array in self._state.items()}


class CupyBackend:
    """Runs every operator: by a kernel of ours on the GPU, else on the host."""

    name = "cupy"
    native = native_composites()

    def why_unavailable(self) -> str | None:
        """Say which extra to install, or that there is no device."""
        try:
            xp = Gpu().xp
        except ImportError:
            return "pip install 'onnxgrad[cuda12]' or 'onnxgrad[cuda13]', as your driver has it"
        try:
            count = xp.cuda.runtime.getDeviceCount()
        except Exception as error:  # CUDA's own error, without a base that loads without CUDA
            return f"CuPy finds no CUDA device: {error}"
        return None if count else "there is no CUDA device"

    def supports(self, node: Node) -> bool:
        """Every operator runs, some on the host."""
        return True

    def prepare(self, graph: Graph) -> CupyExecutable:
        """Expand what has no kernel, lay out the steps and bring the constants to the GPU."""
        return CupyExecutable(prepare_for(graph, self.native, runs_as_it_is), Gpu(), graph)


def _fits(dtype: np.dtype) -> bool:
    """Tell whether CuPy has a dtype: NumPy's own numbers and booleans."""
    return dtype.isbuiltin == 1 and dtype.kind in "biufc"


def _fits_type(value: Value | None) -> bool:
    type_ = None if value is None else value.type
    while type_ is not None and not isinstance(type_, TensorType):
        type_ = type_.element
    return type_ is None or _fits(type_.dtype)


def _host_places(node: Node) -> frozenset[int]:
    """Give the positions of the inputs that the node's kernel reads on the host."""
    entry = KERNELS.get((node.domain, node.op_type))
    return frozenset() if entry is None else _places(entry.function)


@cache
def _places(function: Kernel) -> frozenset[int]:
    parameters = list(inspect.signature(function).parameters.values())[1:]  # the first is xp
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return frozenset(k for k, p in enumerate(positional) if p.name in HOST_PARAMETERS)


def _warn(node: Node, why: str) -> None:
    label = node.label
    warnings.warn(f"{label} runs on the host: {why}", HostFallbackWarning, stacklevel=3)


BACKEND = CupyBackend()
