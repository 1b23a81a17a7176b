"""The fast CPU backend: the graph exported as plain ONNX, run by onnxruntime.

What onnxruntime has kernels for is asked of onnxruntime itself; nothing is listed here.
"""

import ctypes
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx

from ..compiler.errors import UnsupportedOpError
from ..compiler.graph.ir import Graph, Node
from ..compiler.graph.types import SequenceType, TensorType, Type, is_static, onnx_dtype
from ..compiler.interchange.exporter import write_model
from ..compiler.interchange.lowering import misfit
from ..compiler.opset import EXPORT_OPSET, OPSET
from ..compiler.passes.choose_forms import choose_forms
from ..compiler.passes.prepare import prepare_for
from ..compiler.standard.protos import tensor_proto
from ..compiler.standard.schemas import find_schema
from .base import Stepper
from .failures import told_as_ours
from .feeds import check_feeds
from .onnxruntime_rewrites import adapt
from .stepping import RunStepper

_OPEN = 2**31 - 1
"""The last version of a kernel that is registered without one: it fits its first version only."""

_Kernel = tuple[int, int, Mapping[str, Set[str]]]
"""First version, last version, and the types that each of its type parameters takes."""


class OnnxruntimeBackend:
    """Runs what onnxruntime's CPU provider has kernels for."""

    name = "onnxruntime"
    native: frozenset[str] = frozenset()

    def why_unavailable(self) -> str | None:
        """Say how to install onnxruntime where it is missing."""
        return None if find_spec("onnxruntime") else "pip install onnxruntime"

    def supports(self, node: Node) -> bool:
        """Tell whether onnxruntime has a kernel for the operator and its types."""
        return any(_has_kernel(node, opset) for opset in _opsets())

    def prepare(self, graph: Graph) -> "OnnxruntimeExecutable":
        """Export the graph at the opset that suits onnxruntime best and open a session on it.

        Raises:
            UnsupportedOpError: onnxruntime refuses the graph; what it lacks is named.
        """
        prepared = prepare_for(graph, self.native, passes=[choose_forms])
        opset = _best_opset(prepared)
        adapt(prepared, partial(_has_kernel, opset=opset))
        return OnnxruntimeExecutable(graph, _open_session(prepared, opset))


class OnnxruntimeExecutable:
    """An inference session with the graph's own inputs and outputs."""

    def __init__(self, graph: Graph, session: Any) -> None:
        self.session = session
        self.inputs = list(graph.inputs)
        self.outputs = list(graph.outputs)
        self._names = [v.name for v in graph.outputs]
        fed = {_crossing(v.type) for v in graph.inputs}
        self._fed_bytes = [v.name for v in graph.inputs if _crossing(v.type) == "bytes"]
        given = {_crossing(v.type) for v in graph.outputs}
        self._is_plain = fed | given <= {"array"}
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
        if self._gives_bytes:
            fed = {name: _to_ort(array) for name, array in named.items()}
            with told_as_ours():
                results = map(_from_ort, self.session.run_with_ort_values(self._names, fed))
        else:
            for name in self._fed_bytes:
                named[name] = _to_ort(named[name])
            with told_as_ours():
                results = self.session.run(self._names, named)
        return dict(zip(self._names, results, strict=True))

    def stepper(self, feedback: Mapping[str, str], state: Mapping[str, Any]) -> Stepper:
        """Feed outputs back without a copy; what is no plain tensor goes the plain way."""
        if self._is_plain:
            return BoundStepper(self, feedback, state)
        return RunStepper(self, feedback, state)


class BoundStepper:
    """Steps whose state lives in two sets of buffers, read and written in turn."""

    def __init__(
        self,
        executable: OnnxruntimeExecutable,
        feedback: Mapping[str, str],
        state: Mapping[str, Any],
    ) -> None:
        self._run = executable.session.run_with_iobinding
        self._inputs = [v for v in executable.inputs if v.name not in feedback]
        read, write = ({n: np.array(a, order="C") for n, a in state.items()} for _ in range(2))
        self._states = (read, write)
        self._bindings = tuple(executable.session.io_binding() for _ in self._states)
        self._staged: dict[str, np.ndarray] = {}
        self._fed: frozenset[str] = frozenset()
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
        turns = ((read, write), (write, read))
        for binding, (before, after) in zip(self._bindings, turns, strict=True):
            for name, output in feedback.items():
                _bind(binding.bind_input, name, before[name])
                _bind(binding.bind_output, output, after[name])
            for name, buffer in self._fixed.items():
                _bind(binding.bind_output, name, buffer)
            for name in self._allocated:
                binding.bind_output(name, "cpu")

    def run(self, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Run on arrays for the other inputs; give the other outputs by name."""
        self._stage(feeds)
        binding = self._bindings[self._turn]
        for name in self._allocated:
            binding.bind_output(name, "cpu")  # else the last step's buffer would be overwritten
        with told_as_ours():
            self._run(binding)
        self._turn = 1 - self._turn
        results = {name: buffer.copy() for name, buffer in self._fixed.items()}
        if self._allocated:
            last = binding.get_outputs()[-len(self._allocated) :]
            results |= {n: v.numpy() for n, v in zip(self._allocated, last, strict=True)}
            results = {name: results[name] for name in self._order}
        return results

    def state(self) -> dict[str, Any]:
        """Give a copy of what the next run will read, by input name."""
        return {name: array.copy() for name, array in self._states[self._turn].items()}

    def _stage(self, feeds: Mapping[str, Any]) -> None:
        """Copy the feeds to where they are bound; bind anew where a shape is new."""
        if feeds.keys() == self._fed and all(
            type(a) is np.ndarray and a.dtype == b.dtype and a.shape == b.shape
            for a, b in zip(feeds.values(), map(self._staged.__getitem__, feeds), strict=True)
        ):
            for name, array in feeds.items():
                self._staged[name][...] = array
            return
        for value, array in zip(self._inputs, check_feeds(self._inputs, feeds), strict=True):
            buffer = self._staged.get(value.name)
            if buffer is None or buffer.shape != array.shape:
                self._staged[value.name] = buffer = np.array(array, order="C")
                for binding in self._bindings:
                    _bind(binding.bind_input, value.name, buffer)
            buffer[...] = array
        self._fed = frozenset(feeds)


def _bind(bind: Any, name: str, array: np.ndarray) -> None:
    bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)


def _open_session(graph: Graph, opset: int) -> Any:
    import onnxruntime as ort  # loads only when it is used

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what is wrong comes as an exception
    model = write_model(graph, opset).SerializeToString()
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base of their own
        lacking = _lacking(graph, opset)
        listed = ", ".join(sorted({_signature(n) for n in lacking})) or "this graph"
        said = str(error).splitlines()[0]
        raise UnsupportedOpError(
            f"onnxruntime cannot run {listed}: {said}", sorted({n.operator for n in lacking})
        ) from error


def _signature(node: Node) -> str:
    types = ", ".join("" if v is None else str(v.type) for v in node.inputs)
    return f"{node.operator}({types}) '{node.title}'"


def _lacking(graph: Graph, opset: int) -> list[Node]:
    """List the nodes, those of subgraphs too, that have no kernel at an opset."""
    return [n for n in _every_node(graph) if not _has_kernel(n, opset)]


def _best_opset(graph: Graph) -> int:
    """Choose where the fewest nodes lack a kernel, and of those the fewest do not fit."""
    least: list[tuple[int, int, int]] = []
    for opset in _opsets():
        lacking = _lacking(graph, opset)
        if not lacking:
            return opset
        least.append((len(lacking), sum(misfit(n, opset) is not None for n in lacking), opset))
    return min(least)[-1]


def _every_node(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes():
        if any(v.constant is None for v in node.writes()):
            yield node
        for subgraph in node.subgraphs:
            yield from _every_node(subgraph)


@cache
def _opsets() -> range:
    """Give the opsets to choose from: the default of export first."""
    return range(EXPORT_OPSET, OPSET + 1)


def _has_kernel(node: Node, opset: int) -> bool:
    """Tell whether a kernel takes the node's types where it is written at an opset."""
    schema = find_schema(node.op_type, node.domain, None if node.domain else opset)
    if schema is None or misfit(node, opset) is not None:
        return False
    if node.op_type == "ScatterND" and node.attributes.get("reduction", "none") != "none":
        return False  # it is there, but its threads race where indices repeat
    table, since = _kernels(), schema.since_version
    types = [
        (parameters[min(k, len(parameters) - 1)], _type_name(value.type))
        for parameters, values in ((schema.inputs, node.inputs), (schema.outputs, node.outputs))
        for k, value in enumerate(values)
        if value is not None
    ]
    return not table or any(
        (first == since or first < since <= last < _OPEN)
        and all(name in takes.get(p.type_str, takes.get(p.name, {name})) for p, name in types)
        for first, last, takes in table.get((node.domain, node.op_type), ())
    )


@cache
def _kernels() -> Mapping[tuple[str, str], list[_Kernel]]:
    """Give onnxruntime's own list of its CPU kernels; empty where a build does not tell."""
    native = import_module("onnxruntime.capi.onnxruntime_pybind11_state")  # only when it is used

    table: dict[tuple[str, str], list[_Kernel]] = defaultdict(list)
    for k in getattr(native, "get_all_opkernel_def", list)():
        if k.provider == "CPUExecutionProvider":
            takes = {name: frozenset(types) for name, types in k.type_constraints.items()}
            table[k.domain, k.op_name].append((*k.version_range, takes))
    return table


@cache
def _type_name(type_: Type) -> str:
    """Write a type as onnxruntime's kernels do: seq(tensor(float))."""
    if isinstance(type_, TensorType):
        number = onnx_dtype(type_.dtype)
        return f"tensor({onnx.TensorProto.DataType.Name(number).lower()})"
    kind = "seq" if isinstance(type_, SequenceType) else "optional"
    return f"{kind}({_type_name(type_.element)})"


def _crossing(type_: Type) -> str:
    """Tell how a value crosses: as an array, as bytes that NumPy has no dtype for, as an object."""
    if not isinstance(type_, TensorType) or type_.dtype.kind in "OUS":
        return "object"
    return "array" if type_.dtype.isbuiltin == 1 else "bytes"


def _to_ort(array: np.ndarray) -> Any:
    """Hand an array over as packed bytes, the way ONNX files hold it."""
    import onnxruntime as ort

    proto = tensor_proto(array)
    value = ort.OrtValue.ortvalue_from_shape_and_type(list(array.shape), proto.data_type)
    ctypes.memmove(value.data_ptr(), proto.raw_data, len(proto.raw_data))
    return value


def _from_ort(value: Any) -> np.ndarray:
    data = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    proto = onnx.TensorProto(data_type=value.element_type(), dims=value.shape(), raw_data=data)
    return onnx.numpy_helper.to_array(proto)


BACKEND = OnnxruntimeBackend()
