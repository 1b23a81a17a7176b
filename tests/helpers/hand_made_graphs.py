"""Small graphs made node by node, without a builder, and short ways to look at them."""

import numpy as np

from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import TensorType

FLOAT = TensorType(np.dtype("float32"), (2,))
BOOL = TensorType(np.dtype("bool"), ())


def value(name: str) -> Value:
    return Value(name, FLOAT)


def add(graph: Graph, op_type: str, inputs: str, outputs: str, **attributes: object) -> Node:
    """Add a node by names; "-" omits an output."""
    read = tuple(graph.find(name) for name in inputs.split())
    written = tuple(None if name == "-" else value(name) for name in outputs.split())
    return graph.add_node(Node(op_type, read, written, attributes))


def chain() -> Graph:
    """a = x + w; b, c = the halves of a; d = −b."""
    graph = Graph("chain")
    graph.inputs = [graph.add_value(value("x"))]
    graph.add_value(Value("w", FLOAT, np.ones(2, np.float32), parameter=True))
    add(graph, "Add", "x w", "a")
    add(graph, "Split", "a", "b c", num_outputs=2)
    add(graph, "Neg", "b", "d")
    graph.outputs = [graph.find("d")]
    return graph


def branched() -> Graph:
    """y = −a or exp(x + w), inside two branches; z = a again."""
    graph = chain()
    graph.inputs.append(graph.add_value(Value("flag", BOOL)))
    then, otherwise = Graph("then", graph.names), Graph("else", graph.names)
    then.add_node(Node("Neg", (graph.find("a"),), (value("then_y"),)))
    then.outputs = [then.find("then_y")]
    inner = Graph("inner", graph.names)
    inner.add_node(Node("Exp", (graph.find("a"),), (value("inner_y"),)))
    inner.outputs = [inner.find("inner_y")]
    plain = Graph("plain", graph.names)
    plain.outputs = [graph.find("x")]
    attributes = {"then_branch": inner, "else_branch": plain}
    nested = Node("If", (graph.find("flag"),), (value("else_y"),), dict(attributes))
    otherwise.add_node(nested)
    otherwise.outputs = [otherwise.find("else_y")]
    add(graph, "If", "flag", "y", then_branch=then, else_branch=otherwise)
    graph.outputs.append(graph.find("y"))
    return graph


def by_type(graph: Graph, op_type: str) -> Node:
    return next(node for node in graph.nodes() if node.op_type == op_type)


def kinds(graph: Graph) -> list[str]:
    return [node.op_type for node in graph.nodes()]


def names(values: "list[Value] | set[Value | Node]") -> set[str]:
    return {v.name for v in values if isinstance(v, Value)}
