"""Each requirement of the verifier: one graph that breaks it, and the complaint."""

from collections.abc import Callable

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.names import Names
from onnxgrad.compiler.graph.types import SequenceType, TensorType, Type
from onnxgrad.compiler.opset import COMPOSITE_DOMAIN
from onnxgrad.compiler.standard.verifier import verify

FLOAT, INT = np.dtype("float32"), np.dtype("int64")
MATRIX = TensorType(FLOAT, (2, "N"))
LIST = TensorType(INT, (2,))
TEXTS = TensorType(np.dtype(object), (1,))

Break = Callable[[Graph], object]


def model() -> Graph:
    """s = x + w; y = −s or s, by a flag; size = the shape of x."""
    graph = Graph("model")
    x, flag = Value("x", MATRIX), Value("flag", TensorType(np.dtype(bool), ()))
    graph.inputs = [graph.add_value(x), graph.add_value(flag)]
    w = graph.add_value(Value("w", TensorType(FLOAT, (2, 1)), np.ones((2, 1), FLOAT)))
    s, y, size = Value("s", MATRIX), Value("y", MATRIX), Value("size", LIST, elements=(2, "N"))
    graph.add_node(Node("Add", (x, w), (s,)))
    branches = {"then_branch": branch(graph, "Neg", s), "else_branch": branch(graph, "Identity", s)}
    graph.add_node(Node("If", (flag,), (y,), dict(branches)))
    graph.add_node(Node("Shape", (x,), (size,)))
    graph.outputs = [y, size]
    return graph


def branch(outer: Graph, op_type: str, s: Value) -> Graph:
    graph = Graph(op_type, outer.names)
    graph.add_node(Node(op_type, (s,), (Value(f"{op_type}.y", MATRIX),)))
    graph.outputs = [graph.find(f"{op_type}.y")]
    return graph


def node(graph: Graph, op_type: str) -> Node:
    return next(n for n in graph.nodes() if n.op_type == op_type)


def inner(graph: Graph, name: str = "then_branch") -> Graph:
    found: Graph = node(graph, "If").attributes[name]
    return found


def add(
    graph: Graph,
    op_type: str,
    *inputs: Value | None,
    outputs: int = 1,
    domain: str = "",
    **attributes: object,
) -> Node:
    """Add a node that computes z, z_1, …"""
    values = tuple(Value(graph.names.fresh("z"), MATRIX) for _ in range(outputs))
    return graph.add_node(Node(op_type, inputs, values, attributes, domain))


def put(graph: Graph, type_: Type, array: np.ndarray | None = None) -> Value:
    return graph.add_value(Value("v", type_, array))


def test_a_well_formed_graph_passes() -> None:
    graph = model()
    x = graph.find("x")
    add(graph, "Clip", x, None, put(graph, TensorType(FLOAT, ()), np.array(1, FLOAT)))
    graph.add_value(Value("texts", TEXTS, np.array(["a"])))
    graph.add_value(Value("ranks", TensorType(FLOAT), np.ones((1, 2), FLOAT)))
    sequence = Value("sequence", SequenceType(MATRIX))
    graph.add_node(Node("SequenceConstruct", (x,), (sequence,)))
    count = Value("count", TensorType(INT, ()), elements=("N",))
    graph.add_node(Node("Size", (x,), (count,)))
    graph.add_node(Node("anything", (None, x), (), {"at_all": 1}, COMPOSITE_DOMAIN))
    then, otherwise = Graph("then", graph.names), Graph("else", graph.names)
    then.outputs, otherwise.outputs = [x], [inner(graph).find("Neg.y")]
    flag = graph.find("flag")
    add(inner(graph), "If", flag, then_branch=then, else_branch=otherwise)
    graph.reconnect(node(graph, "If"))
    verify(graph)


# What breaks a requirement, and the complaint


def read_a_stranger(graph: Graph) -> None:
    add(graph, "Neg", Value("stranger", MATRIX))


def read_the_other_branch(graph: Graph) -> None:
    add(inner(graph), "Neg", inner(graph, "else_branch").find("Identity.y"))
    graph.reconnect(node(graph, "If"))


def give_a_stranger(graph: Graph) -> None:
    inner(graph).outputs = [Value("stranger", MATRIX)]
    graph.reconnect(node(graph, "If"))


def read_a_later_value(graph: Graph) -> None:
    """The edge that would put the nodes in order is there only until the inputs change."""
    node(graph, "Add").inputs = (graph.find("y"), graph.find("w"))


def close_a_cycle(graph: Graph) -> None:
    read_a_later_value(graph)
    graph.reconnect(node(graph, "Add"))


def forget_an_edge(graph: Graph) -> None:
    node(graph, "Shape").inputs = (graph.find("w"),)


def forget_a_capture(graph: Graph) -> None:
    """The branch reads x now, but the node around it has no edge from there."""
    inner(graph).add_node(Node("Exp", (graph.find("x"),), (Value("late", MATRIX),)))


def leave_an_edge(graph: Graph) -> None:
    node(graph, "Add").inputs = (graph.find("x"), graph.find("x"))


def leave_a_capture(graph: Graph) -> None:
    bodies = [inner(graph, name) for name in ("then_branch", "else_branch")]
    for body in bodies:
        body.outputs = [graph.find("x")]
    graph.reconnect(node(graph, "If"))
    for body in bodies:
        body.remove(body.nodes()[0])


def write_a_stranger(graph: Graph) -> None:
    node(graph, "Shape").outputs = (Value("stranger", LIST),)


def write_twice(graph: Graph) -> None:
    node(graph, "Shape").outputs = (graph.find("s"),)


def give_names_of_its_own(graph: Graph) -> None:
    body = Graph("other", Names())
    body.outputs = [graph.find("s")]
    node(graph, "If").attributes["then_branch"] = body


def share_a_branch(graph: Graph) -> None:
    node(graph, "If").attributes["else_branch"] = inner(graph)


def copy_a_branch(graph: Graph) -> None:
    node(graph, "If").attributes["else_branch"] = inner(graph).copy(names=graph.names)


def rename_by_hand(graph: Graph) -> None:
    graph.find("w").name = "weight"


def break_a_branch(graph: Graph) -> None:
    inner(graph).nodes()[0].attributes["axis"] = 1


def know_elements(elements: tuple[int | str, ...], type_: Type) -> Break:
    def know(graph: Graph) -> None:
        size = graph.find("size")
        size.elements, size.type = elements, type_

    return know


BROKEN: list[tuple[Break, str]] = [
    # names
    (lambda g: g.names.release("x"), "the name of 'x' is not taken"),
    (lambda g: g.names.release("s"), "the name of 's' is not taken"),
    (lambda g: g.names.release("Neg.y"), "the name of 'Neg.y' is not taken"),
    (rename_by_hand, "the graph knows 'weight' by another name; call rename"),
    (share_a_branch, "two values have the name 'Neg.y'"),
    (copy_a_branch, "two values have the name 'Neg.y'"),
    (give_names_of_its_own, "a subgraph of Node(y = If(flag)) has names of its own"),
    # inputs and outputs
    (
        lambda g: g.inputs.append(Value("stranger", MATRIX)),
        "the input 'stranger' is not the graph's own",
    ),
    (lambda g: g.inputs.append(g.find("s")), "a node computes the input 's'"),
    (
        lambda g: g.outputs.append(Value("stranger", MATRIX)),
        "nothing computes the output 'stranger'",
    ),
    (
        lambda g: g.outputs.append(inner(g).find("Neg.y")),
        "nothing computes the output 'Neg.y'",
    ),
    (give_a_stranger, "nothing computes the output 'stranger'"),
    (lambda g: put(g, MATRIX), "'v' is owned, but nothing computes it"),
    # order and edges
    (
        read_a_stranger,
        "Node(z = Neg(stranger)) reads 'stranger', which nothing before it computes",
    ),
    (
        read_the_other_branch,
        "Node(z = Neg(Identity.y)) reads 'Identity.y', which nothing before it computes",
    ),
    (read_a_later_value, "Node(s = Add(y, w)) reads 'y', which nothing before it computes"),
    (close_a_cycle, "the graph has a cycle through 'y' → 's'"),
    (forget_an_edge, "Node(size = Shape(w)) reads 'w', but no edge says so; call reconnect"),
    (forget_a_capture, "Node(y = If(flag)) reads 'x', but no edge says so; call reconnect"),
    (
        leave_an_edge,
        "an edge says that Node(s = Add(x, x)) reads 'w', but it does not; call reconnect",
    ),
    (
        leave_a_capture,
        "an edge says that Node(y = If(flag)) reads 's', but it does not; call reconnect",
    ),
    (write_a_stranger, "Node(stranger = Shape(x)) writes 'stranger', which the graph does not own"),
    (write_twice, "another node computes 's' of Node(s = Shape(x))"),
    # calls
    (
        lambda g: node(g, "Shape").attributes.update(start=None),
        "the attribute 'start' of Node(size = Shape(x)) is None",
    ),
    (
        lambda g: add(g, "Neg", g.find("x"), alpha=1),
        "Node(z = Neg(x)): Neg has no attribute 'alpha': Neg(X)",
    ),
    (break_a_branch, "Node(Neg.y = Neg(s)): Neg has no attribute 'axis'"),
    (
        lambda g: add(g, "Concat", g.find("x")),
        "Node(z = Concat(x)): Concat needs the attribute 'axis'",
    ),
    (
        lambda g: add(g, "Add", g.find("x")),
        "Node(z = Add(x)): Add takes 2 inputs, got 1",
    ),
    (
        lambda g: add(g, "Add", g.find("x"), None),
        "Node(z = Add(x, )) omits 'B', which it needs",
    ),
    (
        lambda g: add(g, "Sum", g.find("x"), None),
        "Node(z = Sum(x, )) omits 'data_0', which it needs",
    ),
    (
        lambda g: add(g, "Neg", g.find("flag")),
        "Node(z = Neg(flag)): Neg(bool[]) does not fit Neg(X): X cannot be tensor(bool)",
    ),
    (
        lambda g: add(g, "Add", g.find("x"), g.find("size")),
        "tensor(float) and tensor(int64) must be one type (T); use Cast",
    ),
    (
        lambda g: add(g, "Neg", g.find("x"), outputs=2),
        "Node(z, z_1 = Neg(x)) has 2 outputs, a number that Neg cannot give",
    ),
    (
        lambda g: add(g, "Neg", g.find("x"), outputs=0),
        "Node( = Neg(x)) has 0 outputs, a number that Neg cannot give",
    ),
    # what is known while compiling
    (lambda g: setattr(g.find("s"), "type", None), "'s' has no type"),
    (
        lambda g: put(g, SequenceType(MATRIX), np.ones(1, FLOAT)),
        "'v' is seq(float32[2, N]) and has an array",
    ),
    (know_elements((1,), SequenceType(LIST)), "'size' is seq(int64[2]) and has elements"),
    (
        lambda g: put(g, MATRIX, np.ones((2, 3))),
        "'v' is float32[2, N], its array has the dtype float64",
    ),
    (
        lambda g: put(g, MATRIX, np.full((2, 3), "a")),
        "'v' is float32[2, N], its array has the dtype <U1",
    ),
    (
        lambda g: put(g, TEXTS, np.ones(1, FLOAT)),
        "'v' is string[1], its array has the dtype float32",
    ),
    (
        lambda g: put(g, MATRIX, np.ones((3, 3), FLOAT)),
        "'v' is float32[2, N], its array has the shape (3, 3)",
    ),
    (
        lambda g: put(g, MATRIX, np.ones(2, FLOAT)),
        "'v' is float32[2, N], its array has the shape (2,)",
    ),
    (know_elements((2, "N", 1), LIST), "'size' is int64[2], its elements are (2, 'N', 1)"),
    (know_elements((2,), LIST), "'size' is int64[2], its elements are (2,)"),
    (
        know_elements((2, "N"), TensorType(INT, ())),
        "'size' is int64[], its elements are (2, 'N')",
    ),
    (
        know_elements((2, "N"), TensorType(FLOAT, (2,))),
        "'size' is float32[2], its elements are (2, 'N')",
    ),
]


@pytest.mark.parametrize(("break_it", "complaint"), BROKEN, ids=[c for _, c in BROKEN])
def test_the_first_thing_that_is_wrong_is_named(break_it: Break, complaint: str) -> None:
    graph = model()
    break_it(graph)
    with pytest.raises(og.GraphError) as caught:
        verify(graph)
    assert complaint in str(caught.value)


def test_an_operator_that_nobody_knows_is_named() -> None:
    graph = model()
    add(graph, "Negg", graph.find("x"))
    with pytest.raises(og.UnsupportedOpError) as caught:
        verify(graph)
    assert "Node(z = Negg(x)): ONNX has no operator 'Negg'" in str(caught.value)
    assert caught.value.ops == ("Negg",)
