"""Write a graph as a plain ONNX model; it computes nothing and leaves the graph as it is."""

import onnx
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

from .composites import find_body
from .expand import Forms, expand_composites
from .ir import Graph, Node, Value
from .ops import Ops
from .opset import COMPOSITE_DOMAIN, EXPORT_OPSET
from .passes.dead_code import remove_dead_code
from .protos import node_proto, tensor_proto
from .types import to_proto


def to_onnx(graph: Graph, opset: int = EXPORT_OPSET, forms: Forms | None = None) -> ModelProto:
    """Write a graph as a model of standard operators at an opset.

    Args:
        graph: the graph, unchanged by this.
        opset: version of the standard operators.
        forms: the form in which to write composites, by operator.

    Raises:
        GraphError: there is no such form.
    """
    for op_type, name in (forms or {}).items():
        find_body(op_type, name)
    graph = graph.copy()
    expand_composites(graph, forms or {})
    drop_known(graph)
    remove_dead_code(graph)
    compute_subgraph_outputs(graph)
    model = ModelProto(ir_version=10, producer_name="onnxgrad")
    model.opset_import.append(onnx.helper.make_opsetid("", opset))
    for domain, version in graph.domains.items():
        if domain not in ("", COMPOSITE_DOMAIN):
            model.opset_import.append(onnx.helper.make_opsetid(domain, version))
    onnx.helper.set_model_props(model, graph.metadata)
    model.graph.CopyFrom(graph_proto(graph))
    return model


def drop_known(graph: Graph) -> None:
    """Let values that are known while compiling stand as constants, without their producers."""
    for node in graph.nodes():
        for value in node.writes():
            if value.constant is not None and not any(value is v for v in graph.outputs):
                constant = Value(graph.names.fresh(value.name), value.type, value.constant)
                graph.add_value(constant)
                graph.replace_uses(value, constant)


def compute_subgraph_outputs(graph: Graph) -> None:
    """Let every output of a subgraph be computed there, once: runtimes refuse anything else."""
    for node in graph.nodes():
        for subgraph in node.subgraphs:
            compute_subgraph_outputs(subgraph)
            outputs: list[Value] = []
            for value in subgraph.outputs:
                if subgraph.producer(value) is None or any(value is v for v in outputs):
                    value = Ops(subgraph).Identity(value)
                outputs.append(value)
            subgraph.outputs = outputs
            graph.reconnect(node)


def graph_proto(graph: Graph) -> GraphProto:
    """Write a graph or subgraph; constants become initializers."""
    proto = GraphProto(name=graph.name)
    proto.input.extend(_info(v) for v in graph.inputs)
    proto.output.extend(_info(v) for v in graph.outputs)
    inputs = set(graph.inputs)
    for value in graph.values():
        if value.constant is not None and value not in inputs and graph.producer(value) is None:
            proto.initializer.append(tensor_proto(value.constant, value.name))
    proto.node.extend(_node(n) for n in graph.nodes())
    return proto


def _node(node: Node) -> NodeProto:
    plain = {k: v for k, v in node.attributes.items() if not isinstance(v, Graph)}
    proto = node_proto(
        node.op_type,
        node.domain,
        ["" if v is None else v.name for v in node.inputs],
        ["" if v is None else v.name for v in node.outputs],
        plain,
        node.name,
    )
    for key, graph in node.attributes.items():
        if isinstance(graph, Graph):
            proto.attribute.append(onnx.helper.make_attribute(key, graph_proto(graph)))
    return proto


def _info(value: Value) -> ValueInfoProto:
    return ValueInfoProto(name=value.name, type=to_proto(value.type, anonymous=False))
