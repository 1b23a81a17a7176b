"""Sessions of onnxruntime, opened once more without its optimizer where that spoils a graph."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from onnx import ModelProto, TensorProto

from ..compiler.errors import BackendUnavailableError, UnsupportedOpError
from ..compiler.graph.dims import typical_size
from ..compiler.graph.ir import Graph, Node
from ..compiler.graph.subgraphs import all_nodes
from ..compiler.graph.types import TensorType, onnx_dtype
from ..compiler.standard.protos import every_node
from .failures import words_of
from .onnxruntime_kernels import lacking_kernels
from .onnxruntime_providers import Settings
from .onnxruntime_weights import write_apart

R = TypeVar("R")


_MOST_PLANNED = 2**29
"""Bytes of all that a graph computes from which on its memory is not planned: from the second run
on a plan is one block, beside what the first run took."""


class OptimizerWarning(UserWarning):
    """onnxruntime's optimizer fails on a graph, which then runs as it is."""


class Opened:
    """The session on a graph.

    What its optimizer made of the graph may fail when the session is opened or when it first runs.
    Then the graph as it is gets a try; what fails there too is the graph's or the arrays' fault.
    """

    def __init__(self, graph: Graph, opset: int, settings: Settings) -> None:
        """Open the session.

        Raises:
            BackendUnavailableError: a provider does not start here.
            UnsupportedOpError: onnxruntime refuses the graph; what it lacks is named.
        """
        model, self._weights = write_apart(graph, opset)
        self._model: ModelProto | None = model
        self._settings = settings if _made_by(graph) < _MOST_PLANNED else _without_plan(settings)
        self._lock = Lock()
        try:
            self.session = open_session(model, self._weights, self._settings)
        except BackendUnavailableError:
            raise
        except Exception as error:  # onnxruntime's errors have no base of their own
            try:
                self._keep(self._unoptimized(), error)
            except Exception:
                raise _refusal(graph, opset, error) from error

    def run(self, call: Callable[[Any], R]) -> R:
        """Call what runs the session; if it fails at first, on a session without optimizer.

        Several threads may call at once.
        """
        session = self.session
        try:
            result = call(session)
        except Exception as error:
            with self._lock:
                if self.session is not session:  # another thread has just opened it anew
                    return call(self.session)
                if self._model is None:
                    raise
                try:
                    plain = self._unoptimized()
                    result = call(plain)
                except Exception:
                    raise error from None
                self._keep(plain, error)
        self._model = None
        return result

    def _unoptimized(self) -> Any:
        assert self._model is not None
        return open_session(self._model, self._weights, self._settings, optimized=False)

    def _keep(self, session: Any, error: Exception) -> None:
        self.session, self._model = session, None
        warnings.warn(
            "onnxruntime's optimizer fails on this graph, which now runs without it, more slowly: "
            f"{first_line(error)}",
            OptimizerWarning,
            stacklevel=4,
        )


def open_session(
    model: ModelProto,
    weights: Mapping[str, np.ndarray],
    settings: Settings,
    optimized: bool = True,
) -> Any:
    """Open a session; what is wrong comes as an exception and is not printed.

    The session reads the weights where they lie: they must stay as long as it does.

    Raises:
        BackendUnavailableError: onnxruntime left out a provider that was asked for.
    """
    import onnxruntime as ort  # loads only when it is used

    options = ort.SessionOptions()
    if weights:
        values = [_as_ort_value(array) for array in weights.values()]
        options.add_external_initializers(list(weights), values)
    options.log_severity_level = 4
    settings.apply(options)
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        model.SerializeToString(),
        options,
        providers=None if options.has_providers() else ["CPUExecutionProvider"],
        disabled_optimizers=[] if _may_block_channels(model) else [_BLOCKS_CHANNELS],
    )
    for name, _ in settings.providers:
        if name not in session.get_providers():
            raise BackendUnavailableError(
                f"the provider {name} does not start here, so that onnxruntime would run on "
                f"{', '.join(session.get_providers())}: its libraries or its device are missing"
            )
    return session


_BLOCKS_CHANNELS = "NchwcTransformer"
"""What lays channels out in blocks, in float32, for convolutions and pools. Of onnxruntime 1.32 it
ends the process on some graphs that hold half precision, with or without these."""


def _may_block_channels(model: ModelProto) -> bool:
    graph = model.graph
    if not any("Conv" in n.op_type or "Pool" in n.op_type for n in every_node(graph.node)):
        return False
    typed = (*graph.input, *graph.output, *graph.value_info)
    kinds = {v.type.tensor_type.elem_type for v in typed} | {t.data_type for t in graph.initializer}
    return not kinds & {TensorProto.FLOAT16, TensorProto.BFLOAT16}


def _without_plan(settings: Settings) -> Settings:
    """Leave memory unplanned, unless options say otherwise."""
    return replace(settings, options={"enable_mem_pattern": False, **settings.options})


def _made_by(graph: Graph) -> int:
    """Count the bytes of all values that a graph computes, as far as their sizes are known."""
    made = (v for n in all_nodes(graph) for v in n.writes() if v.constant is None)
    tensors = (v for v in made if isinstance(v.type, TensorType) and v.shape is not None)
    return sum(typical_size(v.shape or ()) * v.dtype.itemsize for v in tensors)


def _as_ort_value(array: np.ndarray) -> Any:
    """See an array as a value of onnxruntime's, which does not keep the array."""
    import onnxruntime as ort  # loads only when it is used

    if array.dtype.isbuiltin == 1:
        return ort.OrtValue.ortvalue_from_numpy(array)
    plain = array.view(f"u{array.dtype.itemsize}")
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(plain, onnx_dtype(array.dtype))


def first_line(error: Exception) -> str:
    """Give the first line of what onnxruntime says."""
    return words_of((str(error).splitlines() or [""])[0]) or type(error).__name__


def _refusal(graph: Graph, opset: int, error: Exception) -> UnsupportedOpError:
    lacking = lacking_kernels(graph, opset)
    listed = ", ".join(sorted({_signature(n) for n in lacking})) or "this graph"
    operators = sorted({n.operator for n in lacking})
    return UnsupportedOpError(f"onnxruntime cannot run {listed}: {first_line(error)}", operators)


def _signature(node: Node) -> str:
    types = ", ".join("" if v is None else str(v.type) for v in node.inputs)
    return f"{node.operator}({types}) '{node.title}'"
