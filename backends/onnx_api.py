"""ONNX's own backend interface over ours, so that ONNX's suite runs on them unchanged."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

from ..compiler.graph.ir import Graph
from ..compiler.interchange.importer import import_model
from ..compiler.opset import OPSET
from .base import Executable
from .registry import find_backend


class PreparedModel(BackendRep):
    """A model ready to run on inputs by position or by name."""

    def __init__(self, graph: Graph, executable: Executable) -> None:
        self._inputs = [v.name for v in graph.inputs]
        self._outputs = [v.name for v in graph.outputs]
        self._executable = executable

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Run; give the outputs in the model's order.

        Args:
            inputs: a mapping by name, a sequence of those without a default, or one array.
            **kwargs: accepted for the interface's sake, none is known.
        """
        if not isinstance(inputs, Mapping):
            given = inputs if isinstance(inputs, Sequence) else [inputs]
            inputs = dict(zip(self._inputs, given, strict=True))
        results = self._executable.run(inputs)
        return tuple(results[name] for name in self._outputs)


def onnx_backend(name: str) -> type[Backend]:
    """Give one of our backends as a class of ONNX's interface.

    Example:
        >>> tests = onnx.backend.test.BackendTest(onnx_backend("numpy"), __name__)

    Raises:
        BackendUnavailableError: it cannot run here; the message says what to install.
    """
    ours = find_backend(name)
    device_type = DeviceType.CUDA if name == "cupy" else DeviceType.CPU

    class OnnxBackend(Backend):
        """One of our backends behind ONNX's interface."""

        @classmethod
        def supports_device(cls, device: str) -> bool:
            """Tell whether it runs on "CPU" or on "CUDA"."""
            return Device(device).type == device_type

        @classmethod
        def prepare(
            cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any
        ) -> PreparedModel:
            """Make a model ready to run."""
            super().prepare(model, device, **kwargs)  # checks the model
            graph = import_model(model)
            return PreparedModel(graph, ours.prepare(graph))

        @classmethod
        def run_node(
            cls,
            node: onnx.NodeProto,
            inputs: Any,
            device: str = "CPU",
            outputs_info: Any = None,
            **kwargs: Any,
        ) -> tuple[Any, ...]:
            """Run one node on arrays, the inputs that it omits left out."""
            super().run_node(node, inputs, device, outputs_info, **kwargs)  # checks the node
            present = list(dict.fromkeys(n for n in node.input if n))
            feeds = dict(zip(present, map(np.asarray, inputs), strict=True))
            model = _model_of(node, feeds, kwargs.get("opset_version", OPSET))
            return cls.prepare(model, device).run(feeds)

    return OnnxBackend


def _model_of(node: onnx.NodeProto, feeds: Mapping[str, np.ndarray], opset: int) -> onnx.ModelProto:
    make = onnx.helper
    infos = [
        make.make_tensor_value_info(name, make.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for name, a in feeds.items()
    ]
    outputs = [onnx.ValueInfoProto(name=n) for n in node.output if n]
    graph = make.make_graph([node], "node", infos, outputs)
    imports = [make.make_opsetid("", opset)]
    if node.domain:
        imports.append(make.make_opsetid(node.domain, 1))
    return onnx.shape_inference.infer_shapes(make.make_model(graph, opset_imports=imports))
