"""Values and nodes by themselves, and what a graph tells of them."""

import numpy as np
import pytest
from hand_made_graphs import FLOAT, branched, by_type, chain, names, value

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import OptionalType, SequenceType, TensorType


@pytest.mark.parametrize("type_", [SequenceType(FLOAT), OptionalType(FLOAT)], ids=str)
def test_only_a_tensor_has_dtype_shape_and_rank(type_: SequenceType | OptionalType) -> None:
    tensor, other = value("x"), Value("s", type_)
    assert (tensor.dtype, tensor.shape, tensor.rank) == (np.dtype("float32"), (2,), 1)
    assert Value("y", TensorType(FLOAT.dtype)).rank is None
    for name in ("dtype", "shape", "rank"):
        with pytest.raises(og.GraphError, match=r"'s' is .*\(float32\[2\]\), not a tensor"):
            getattr(other, name)


def test_how_a_node_is_called() -> None:
    x, y = value("x"), value("y")
    assert repr(Node("Clip", (x, None, x), (None, y))) == "Node(, y = Clip(x, , x))"
    assert Node("Neg", (x,), (None, y)).label == "Neg 'y'"
    assert Node("Neg", (x,), (y,), name="n", domain="d").label == "d.Neg 'n'"
    assert Node("Neg", (x,), (None,)).label == "Neg ''"
    assert repr(x) == "Value('x': float32[2])"
    assert repr(chain()) == "Graph('chain': 3 nodes, inputs ['x'], outputs ['d'])"


def test_what_a_node_reads_and_writes() -> None:
    graph = branched()
    node = by_type(graph, "If")
    assert [v.name for v in node.reads()] == ["flag", "a", "flag", "a", "x"]
    assert [g.name for g in node.subgraphs] == ["then", "else"]
    assert [v.name for v in Node("Split", (), (None, value("y"))).writes()] == ["y"]


def test_what_a_node_cannot_do_without() -> None:
    x, y = value("x"), value("y")
    node = Node("Clip", (x, None, y), (None, y))
    assert node.required(1) == [x] and node.first_input is x
    assert [node.input(k) for k in range(4)] == [x, None, y, None]
    with pytest.raises(og.GraphError, match="Clip 'y' lacks one of its first 2 inputs"):
        node.required(2)
    with pytest.raises(og.GraphError, match="Neg 'y' lacks one of its first 1 inputs"):
        Node("Neg", (), (y,)).required(1)
    assert node.given(2) == [y] and node.given(3) == []
    with pytest.raises(og.GraphError, match="Clip 'y' omits one of its inputs from 1 on"):
        node.given(1)
    assert node.output(1) is y
    for index in (0, 2):
        with pytest.raises(og.GraphError, match=f"Clip 'y' has no output {index}"):
            node.output(index)


def test_a_rank_that_must_be_known() -> None:
    assert value("x").known_rank == 1
    with pytest.raises(og.GraphError, match="the rank of 'y' is not known"):
        _ = Value("y", TensorType(FLOAT.dtype)).known_rank


def test_neighbours() -> None:
    graph = branched()
    a, x = graph.find("a"), graph.find("x")
    assert graph.producer(a) is by_type(graph, "Add") and graph.producer(x) is None
    assert [n.op_type for n in graph.consumers(a)] == ["Split", "If"]
    assert names(graph.upstream([graph.find("d")])) == {"d", "b", "a", "x", "w"}
    assert names(graph.downstream([graph.find("b")])) == {"b", "d"}
    assert names(graph.downstream([a])) == {"a", "b", "c", "d", "y"}
    stranger = value("stranger")
    assert graph.producer(stranger) is None and not graph.consumers(stranger)
    assert not graph.upstream([stranger])


def test_captures_are_what_is_read_and_not_owned() -> None:
    graph = branched()
    then, otherwise = by_type(graph, "If").subgraphs
    inner, plain = by_type(otherwise, "If").subgraphs
    found = [[v.name for v in g.captures()] for g in (graph, then, otherwise, inner, plain)]
    assert found == [[], ["a"], ["flag", "a", "x"], ["a"], ["x"]]
    assert otherwise.owns(otherwise.find("else_y")) and not otherwise.owns(graph.find("a"))
    assert otherwise.producer(graph.find("a")) is None


def test_find_proposes_close_names() -> None:
    graph = Graph("net")
    graph.add_value(value("weight"))
    assert graph.find("weight").name == "weight"
    with pytest.raises(og.GraphError, match="'net' has no value 'wieght'; did you mean 'weight'?"):
        graph.find("wieght")
    with pytest.raises(og.GraphError, match=r"no value 'then_y' \(it stands inside a subgraph\)"):
        branched().find("then_y")
    with pytest.raises(og.GraphError, match="a value goes by its name, a text, not by 3"):
        graph.find(3)  # type: ignore[arg-type]


def test_parameters_are_what_a_graph_holds_for_training() -> None:
    """No constants, no inputs of a training step, which hold their start, and nothing computed."""
    b = og.Builder()
    x, w = b.input("x", "float32", (2,)), b.parameter("w", np.ones(2, np.float32))
    b.parameter("unread", np.zeros(3, np.float32))
    b.output(b.op.ReduceSum(x * w * b.constant(np.ones(2, np.float32), "c"), keepdims=0), "loss")
    graph = b.build()
    assert [v.name for v in graph.parameters] == ["w", "unread"]
    step = og.train_step(graph, "loss", og.optim.SGD(0.1))
    assert [v.name for v in step.parameters] == ["unread"]
