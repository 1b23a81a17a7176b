"""Nodes, attributes and graphs as ONNX messages; whole models are the exporter's."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto

from ..graph.ir import Graph, Node, Value
from ..graph.types import OptionalType, SequenceType, TensorType, is_float, to_proto
from .schemas import attribute_specs, find_schema


def tensor_proto(array: np.ndarray, name: str = "") -> TensorProto:
    """Write an array; strings come from arrays of objects."""
    if array.dtype.kind in "OUS":
        proto = TensorProto(name=name, data_type=TensorProto.STRING, dims=array.shape)
        proto.string_data.extend(
            v if isinstance(v, bytes) else str(v).encode() for v in array.ravel()
        )
        return proto
    return onnx.numpy_helper.from_array(array, name)


SCOPES_KEY = "pkg.torch.onnx.name_scopes"
"""Key of a node's metadata under which torch's exporter lists the modules around it."""

DERIVATIVE_KEY = "onnxgrad.derivative"
"""Key of an Identity's metadata that says which composite it is: its derivative is another one."""

PASSED_ON = frozenset({"ChosenGradient", "StopGradient"})
"""Composites that a file holds as such an Identity."""


def node_proto(
    op_type: str,
    domain: str,
    inputs: list[str],
    outputs: list[str],
    attributes: dict[str, Any],
    name: str = "",
) -> NodeProto:
    """Write a node from names."""
    proto = NodeProto(op_type=op_type, domain=domain, name=name)
    proto.input.extend(inputs)
    proto.output.extend(outputs)
    schema = find_schema(op_type, domain)
    specs = {} if schema is None else attribute_specs(schema)
    for key, value in attributes.items():
        spec = specs.get(key)
        proto.attribute.append(attribute_proto(key, value, spec.type.value if spec else 0))
    return proto


def attribute_proto(name: str, value: Any, kind: int = 0) -> AttributeProto:
    """Write an attribute as the AttributeProto type `kind`, or as its Python type suggests."""
    proto = AttributeProto(name=name, type=kind or _kind(value))  # type: ignore[arg-type]
    kinds = AttributeProto
    match proto.type:
        case kinds.INT:
            proto.i = int(value)
        case kinds.FLOAT:
            proto.f = float(value)
        case kinds.STRING:
            proto.s = _encode(value)
        case kinds.TENSOR:
            proto.t.CopyFrom(tensor_proto(np.asarray(value)))
        case kinds.GRAPH:
            write_graph(proto.g, value)
        case kinds.TYPE_PROTO:
            proto.tp.CopyFrom(to_proto(value))
        case kinds.INTS:
            proto.ints.extend(int(v) for v in value)
        case kinds.FLOATS:
            proto.floats.extend(float(v) for v in value)
        case kinds.STRINGS:
            proto.strings.extend(_encode(v) for v in value)
        case kinds.TENSORS:
            proto.tensors.extend(tensor_proto(v) for v in value)
        case _:
            raise TypeError(f"the attribute '{name}' cannot be {value!r}")
    return proto


def _encode(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _kind(value: Any) -> int:
    kinds = AttributeProto
    if isinstance(value, list | tuple):
        first = _kind(value[0]) if value else int(kinds.INT)
        floats = any(isinstance(v, float) for v in value)
        return int(kinds.FLOATS) if floats else first + (int(kinds.FLOATS) - int(kinds.FLOAT))
    if isinstance(value, bool | int | np.integer):
        return int(kinds.INT)
    if isinstance(value, float | np.floating):
        return int(kinds.FLOAT)
    if isinstance(value, str | bytes):
        return int(kinds.STRING)
    if isinstance(value, np.ndarray):
        return int(kinds.TENSOR)
    if isinstance(value, Graph):
        return int(kinds.GRAPH)
    if isinstance(value, TensorType | SequenceType | OptionalType):
        return int(kinds.TYPE_PROTO)
    raise TypeError(f"no ONNX attribute can hold {value!r}")


TensorWriter = Callable[[np.ndarray, str], TensorProto]
"""Writes the array of an initializer: into the message, or elsewhere."""

CONSTANT_MARK = "constant"
"""doc_string of the initializers that are not parameters: training leaves them alone."""


def write_graph(proto: GraphProto, graph: Graph, tensor: TensorWriter = tensor_proto) -> None:
    """Write a graph or subgraph as it stands into a message; constants become initializers.

    What an input starts with is not written: whoever runs the model feeds its inputs.
    """
    proto.name, proto.doc_string = graph.name, graph.doc
    proto.input.extend(value_proto(v) for v in graph.inputs)
    proto.output.extend(value_proto(v) for v in graph.outputs)
    inputs = set(graph.inputs)
    for value in graph.values():
        if value.constant is not None and value not in inputs and graph.producer(value) is None:
            initializer = tensor(value.constant, value.name)
            if not value.parameter and is_float(value.constant.dtype):
                initializer.doc_string = CONSTANT_MARK
            proto.initializer.append(initializer)
    proto.node.extend(call_protos(graph.nodes(), tensor))


def call_protos(nodes: Sequence[Node], tensor: TensorWriter = tensor_proto) -> Iterator[NodeProto]:
    """Write the nodes of one graph, no two of one name: bodies that are called twice repeat theirs.

    onnxruntime refuses a graph with two nodes of one name.
    """
    taken, seen = {n.name for n in nodes}, dict.fromkeys((n.name for n in nodes), 0)
    for node in nodes:
        proto = call_proto(node, tensor)
        seen[node.name] += 1
        while node.name and seen[node.name] > 1 and proto.name in taken:
            proto.name = f"{node.name}_{seen[node.name]}"
            seen[node.name] += proto.name in taken
        taken.add(proto.name)
        yield proto


def call_proto(node: Node, tensor: TensorWriter = tensor_proto) -> NodeProto:
    """Write a node of a graph, its subgraphs too."""
    plain = {k: v for k, v in node.attributes.items() if not isinstance(v, Graph)}
    proto = node_proto(
        node.op_type,
        node.domain,
        ["" if v is None else v.name for v in node.inputs],
        ["" if v is None else v.name for v in node.outputs],
        plain,
        node.name,
    )
    if node.module:
        scopes = ["", node.module, node.name]
        proto.metadata_props.add(key=SCOPES_KEY, value=repr(scopes))
    if node.derivative:
        proto.metadata_props.add(key=DERIVATIVE_KEY, value=node.derivative)
    for key, graph in node.attributes.items():
        if isinstance(graph, Graph):
            attribute = proto.attribute.add(name=key, type=AttributeProto.GRAPH)
            write_graph(attribute.g, graph, tensor)
    return proto


def every_node(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yield nodes of a file and those of their subgraphs."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        for graph in graphs_in(node):
            pending.extend(graph.node)


def graphs_in(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs among the attributes of a node of a file."""
    for attribute in node.attribute:
        yield from attribute.graphs
        if attribute.HasField("g"):
            yield attribute.g


def value_proto(value: Value) -> ValueInfoProto:
    """Write a value's name and type, without dimension names of our own."""
    return ValueInfoProto(name=value.name, type=to_proto(value.type, anonymous=False))
