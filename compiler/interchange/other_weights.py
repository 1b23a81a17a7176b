"""Put a graph's weights into the model that it was read from, which stays as it is otherwise."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, TypeProto
from onnx.helper import make_attribute

from ..errors import GraphError
from ..graph.ir import Graph, Value
from ..graph.types import TensorType
from ..reading.tensor_reader import TensorReader
from ..standard.protos import tensor_proto

TensorWriter = Callable[[np.ndarray, str], TensorProto]


def put_weights(
    model: ModelProto, graph: Graph, read: TensorReader, write: TensorWriter | None = None
) -> list[str]:
    """Give a model the parameters of a graph that was made of it; give the names that changed.

    Names, operators, opsets, metadata, functions and the order of everything stay. Where a layer
    got another size the sizes that the model states follow. BatchNormalization and Dropout go to
    inference where they stood in training mode.

    Args:
        model: is changed.
        graph: what the model became, perhaps with more around it, such as a loss.
        read: reads the model's tensors.
        write: writes tensors of other files anew; None where the model has none.

    Raises:
        GraphError: the graph has parameters that the model lacks, or of other dtypes.
    """
    _give_tensors(model.graph, {v.name: v.constant for v in graph.values() if v.parameter})
    names = {name for name, _ in _tensors(model)}
    held = {v.name: v.constant for v in graph.values() if v.name in names}
    _require_same(model, graph, names)
    changed = []
    for name, tensor in _tensors(model):
        after = held.get(name) if name else None
        before = read(tensor)
        if after is None:
            after = before
        if after.dtype != before.dtype:
            raise GraphError(f"'{name}' is {before.dtype} in the file, {after.dtype} in the graph")
        same = after.shape == before.shape and after.tobytes() == before.tobytes()
        if not same:
            changed.append(str(name))
        apart = tensor.data_location == TensorProto.EXTERNAL
        if not same or apart:
            _replace(tensor, after, write if apart else None)
    _follow_sizes(model, graph)
    for node in model.graph.node:
        _to_inference(node, {o.name for o in model.graph.output})
    return changed


def _give_tensors(graph: GraphProto, weights: Mapping[str, np.ndarray | None]) -> None:
    """Let Constants that hold a number or a list of them hold a tensor, where it became another."""
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _give_tensors(inner, weights)
            after = None if node.domain else weights.get(next(iter(node.output), ""))
            if after is None or attribute.name not in ("value_float", "value_floats"):
                continue
            single = attribute.name == "value_float"
            before = np.array(attribute.f if single else attribute.floats, np.float32)
            if before.tobytes() != after.tobytes():
                attribute.CopyFrom(make_attribute("value", tensor_proto(before, "")))


def lies_apart(model: ModelProto) -> bool:
    """Tell whether a model has tensors in other files."""
    return any(t.data_location == TensorProto.EXTERNAL for _, t in _tensors(model))


def _tensors(model: ModelProto) -> Iterator[tuple[str | None, TensorProto]]:
    """Yield what a model holds, by name: of a Constant its output's.

    None stands for the name in functions, and where several bodies have it.
    """
    found = [(tensor.name, tensor) for tensor in model.graph.initializer]
    for node in model.graph.node:
        found += _attached(node)
    counts = Counter(name for name, _ in found)
    yield from ((name if counts[name] == 1 else None, tensor) for name, tensor in found)
    for function in model.functions:
        for node in function.node:
            yield from ((None, tensor) for _, tensor in _attached(node))


def _attached(node: NodeProto) -> Iterator[tuple[str, TensorProto]]:
    constant = node.op_type == "Constant" and not node.domain
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield node.output[0] if constant else "", attribute.t
        yield from (("", tensor) for tensor in attribute.tensors)
        for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            yield from ((tensor.name, tensor) for tensor in graph.initializer)
            for inner in graph.node:
                yield from _attached(inner)


def _require_same(model: ModelProto, graph: Graph, held: Set[str | None]) -> None:
    names = {v.name: v for v in graph.values()}
    outputs = [o.name for o in model.graph.output]
    if lost := [name for name in outputs if name not in names]:
        raise GraphError(
            f"the graph has no '{lost[0]}', an output of the file; is it of this file?"
        )
    reached = graph.upstream([names[name] for name in outputs])
    new = [v.name for v in graph.values() if v.parameter and v in reached and v.name not in held]
    if new:
        raise GraphError(
            f"the file does not hold {', '.join(new[:4])}, which the graph has; write the graph "
            "itself with og.save"
        )


def _replace(tensor: TensorProto, array: np.ndarray, write: TensorWriter | None) -> None:
    name, doc = tensor.name, tensor.doc_string
    made = tensor_proto(array, name) if write is None else write(array, name)
    tensor.CopyFrom(made)
    tensor.name = name
    if doc:
        tensor.doc_string = doc


def _follow_sizes(model: ModelProto, graph: Graph) -> None:
    """State the sizes that values have now, where they are numbers and the model states others."""
    values = {v.name: v for v in graph.values()}
    for about in (*model.graph.output, *model.graph.value_info):
        if about.name in values:
            _state(about.type, values[about.name])


def _state(said: TypeProto, value: Value) -> None:
    if not isinstance(value.type, TensorType) or value.shape is None:
        return
    dims = said.tensor_type.shape.dim
    for dim, size in zip(dims, value.shape, strict=False):
        if isinstance(size, int) and dim.HasField("dim_value") and len(dims) == len(value.shape):
            dim.dim_value = size


def _to_inference(node: NodeProto, outputs: set[str]) -> None:
    if node.domain or node.op_type not in ("BatchNormalization", "Dropout"):
        return
    if node.op_type == "Dropout" and len(node.input) > 2:
        del node.input[2:]
    for k, attribute in enumerate(node.attribute):
        if attribute.name == "training_mode" and attribute.i and not outputs & set(node.output[1:]):
            del node.attribute[k], node.output[1:]
            return
