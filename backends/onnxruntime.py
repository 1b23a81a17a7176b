"""The fast CPU backend: the graph exported as plain ONNX, run by onnxruntime."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ..compiler.exporter import to_onnx
from ..compiler.ir import Graph, Node
from .feeds import check_feeds


class OnnxruntimeExecutable:
    """An inference session over the exported graph."""

    def __init__(self, graph: Graph) -> None:
        import onnxruntime as ort  # loads only when it is used

        options = ort.SessionOptions()
        options.log_severity_level = 3
        self._inputs = list(graph.inputs)
        self._outputs = [v.name for v in graph.outputs]
        self._session = ort.InferenceSession(
            to_onnx(graph).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays by input name; give the outputs by name."""
        arrays = check_feeds(self._inputs, feeds)
        named = {v.name: a for v, a in zip(self._inputs, arrays, strict=True)}
        results = self._session.run(self._outputs, named)
        return dict(zip(self._outputs, results, strict=True))


class OnnxruntimeBackend:
    """Runs what onnxruntime's CPU provider has kernels for."""

    name = "onnxruntime"
    native: frozenset[str] = frozenset()

    def why_unavailable(self) -> str | None:
        """Say how to install onnxruntime where it is missing."""
        return None if find_spec("onnxruntime") else "pip install onnxruntime"

    def supports(self, node: Node) -> bool:
        """Every standard operator is tried; onnxruntime itself refuses what it lacks."""
        return True

    def prepare(self, graph: Graph) -> OnnxruntimeExecutable:
        """Export the graph and open a session on it."""
        return OnnxruntimeExecutable(graph)


BACKEND = OnnxruntimeBackend()
