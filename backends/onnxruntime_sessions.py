"""Sessions of onnxruntime, opened once more without its optimizer where that spoils a graph."""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from onnx import ModelProto

from ..compiler.errors import UnsupportedOpError
from ..compiler.graph.ir import Graph, Node
from ..compiler.interchange.exporter import write_model
from .onnxruntime_kernels import lacking_kernels

R = TypeVar("R")


class OptimizerWarning(UserWarning):
    """onnxruntime's optimizer fails on a graph, which then runs as it is."""


class Opened:
    """The session on a graph.

    What its optimizer made of the graph may fail when the session is opened or when it first runs.
    Then the graph as it is gets a try; what fails there too is the graph's or the arrays' fault.
    """

    def __init__(self, graph: Graph, opset: int) -> None:
        """Open the session.

        Raises:
            UnsupportedOpError: onnxruntime refuses the graph; what it lacks is named.
        """
        self._write: Callable[[], ModelProto] | None = lambda: write_model(graph, opset)
        try:
            self.session = open_session(self._write())
        except Exception as error:  # onnxruntime's errors have no base of their own
            try:
                self._keep(self._unoptimized(), error)
            except Exception:
                raise _refusal(graph, opset, error) from error

    def run(self, call: Callable[[Any], R]) -> R:
        """Call what runs the session; if it fails at first, on a session without optimizer."""
        try:
            result = call(self.session)
        except Exception as error:
            if self._write is None:
                raise
            try:
                plain = self._unoptimized()
                result = call(plain)
            except Exception:
                raise error from None
            self._keep(plain, error)
        self._write = None
        return result

    def _unoptimized(self) -> Any:
        assert self._write is not None
        return open_session(self._write(), optimized=False)

    def _keep(self, session: Any, error: Exception) -> None:
        self.session, self._write = session, None
        warnings.warn(
            "onnxruntime's optimizer fails on this graph, which now runs without it, more slowly: "
            f"{first_line(error)}",
            OptimizerWarning,
            stacklevel=4,
        )


def open_session(model: ModelProto, optimized: bool = True) -> Any:
    """Open a session on the CPU; what is wrong comes as an exception and is not printed."""
    import onnxruntime as ort  # loads only when it is used

    options = ort.SessionOptions()
    options.log_severity_level = 4
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = ["CPUExecutionProvider"]
    return ort.InferenceSession(model.SerializeToString(), options, providers=providers)


def first_line(error: Exception) -> str:
    """Give the first line of what onnxruntime says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _refusal(graph: Graph, opset: int, error: Exception) -> UnsupportedOpError:
    lacking = lacking_kernels(graph, opset)
    listed = ", ".join(sorted({_signature(n) for n in lacking})) or "this graph"
    operators = sorted({n.operator for n in lacking})
    return UnsupportedOpError(f"onnxruntime cannot run {listed}: {first_line(error)}", operators)


def _signature(node: Node) -> str:
    types = ", ".join("" if v is None else str(v.type) for v in node.inputs)
    return f"{node.operator}({types}) '{node.title}'"
