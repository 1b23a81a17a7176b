"""The graph's own reading and writing: edges, order, names, captures, copies, and what it refuses.

The verifier, which has tests of its own, says after each change whether the graph is well formed.
"""

import numpy as np
import pytest

import onnxgrad as og
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import OptionalType, SequenceType, TensorType
from onnxgrad.compiler.standard.verifier import verify

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


# Values and nodes by themselves


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
    assert node.output(1) is y
    for index in (0, 2):
        with pytest.raises(og.GraphError, match=f"Clip 'y' has no output {index}"):
            node.output(index)


def test_a_rank_that_must_be_known() -> None:
    assert value("x").known_rank == 1
    with pytest.raises(og.GraphError, match="the rank of 'y' is not known"):
        _ = Value("y", TensorType(FLOAT.dtype)).known_rank


# Reading a graph


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


# Order


def test_nodes_stand_as_they_were_added_where_nothing_else_orders_them() -> None:
    graph = chain()
    for name in ("Exp", "Cos", "Abs"):
        add(graph, name, "x", name)
    assert kinds(graph) == ["Add", "Split", "Neg", "Exp", "Cos", "Abs"]
    graph.nodes().clear()
    assert len(graph.nodes()) == 6


def test_a_node_can_take_the_place_of_another() -> None:
    graph = chain()
    add(graph, "Exp", "x", "e")
    place = by_type(graph, "Neg").position
    graph.add_node(Node("Cos", (graph.find("x"),), (value("cos"),), position=place))
    assert kinds(graph) == ["Add", "Split", "Neg", "Cos", "Exp"]
    graph.add_node(Node("Sin", (graph.find("x"),), (value("sin"),), position=-1))
    assert kinds(graph)[-1] == "Sin"
    graph.add_node(Node("Tan", (graph.find("x"),), (value("tan"),), position=100))
    add(graph, "Abs", "x", "abs")
    assert kinds(graph)[-2:] == ["Tan", "Abs"]


def test_positions_order_nodes_however_they_were_added() -> None:
    graph = Graph("backwards")
    x = graph.add_value(value("x"))
    for position in (3, 1, 2, 0):
        graph.add_node(Node("Neg", (x,), (value(f"y{position}"),), position=position))
    assert [n.title for n in graph.nodes()] == ["y0", "y1", "y2", "y3"]
    assert [n.title for n in graph.copy().nodes()] == ["y0", "y1", "y2", "y3"]


def test_the_order_follows_what_is_read_and_computed_anew() -> None:
    graph = chain()
    add(graph, "Exp", "x", "late")
    assert kinds(graph) == ["Add", "Split", "Neg", "Exp"]
    graph.replace_uses(graph.find("a"), graph.find("late"))
    assert kinds(graph) == ["Add", "Exp", "Split", "Neg"]
    add(graph, "Cos", "x", "later")
    graph.redirect(graph.find("later"), graph.find("b"))
    assert kinds(graph) == ["Add", "Exp", "Split", "Cos", "Neg"]
    verify(graph)


def test_the_order_follows_a_reader_that_was_there_first() -> None:
    """A node may be added before what it reads."""
    graph = chain()
    early = value("early")
    graph.add_node(Node("Neg", (early,), (value("e"),)))
    assert graph.captures() == [early]
    graph.add_node(Node("Exp", (graph.find("x"),), (early,)))
    assert graph.captures() == [] and kinds(graph)[-2:] == ["Exp", "Neg"]
    verify(graph)


def test_a_node_waits_for_all_that_it_reads() -> None:
    """It stands first among those that are ready, but not before they are."""
    graph = chain()
    read = graph.find("c"), graph.find("x")
    graph.add_node(Node("Mul", read, (value("product"),), position=0))
    assert kinds(graph) == ["Add", "Split", "Mul", "Neg"]


def test_a_cycle_is_named() -> None:
    graph = chain()
    node = by_type(graph, "Add")
    node.inputs = (graph.find("b"), graph.find("w"))
    graph.reconnect(node)
    with pytest.raises(og.GraphError, match="a cycle through ('a' → 'b'|'b' → 'a')$"):
        graph.nodes()


@pytest.mark.parametrize("seed", range(8))
def test_a_change_leaves_the_order_of_the_rest(seed: int) -> None:
    """Nodes come and go; the others keep their order, and that of a copy is the same."""
    random = np.random.default_rng(seed)
    graph = Graph("random")
    graph.inputs = [graph.add_value(value("x0"))]
    for step in range(40):
        before = graph.nodes()
        loose = [n for n in before if not any(graph.consumers(v) for v in n.writes())]
        if loose and random.random() < 0.3:
            gone = loose[random.integers(len(loose))]
            graph.remove(gone)
            before.remove(gone)
            after = graph.nodes()
        else:
            owned = graph.values()
            read = [owned[k] for k in random.integers(len(owned), size=2)]
            new = graph.add_node(Node("Add", tuple(read), (value(f"x{step + 1}"),)))
            after = graph.nodes()
            assert after[-1] is new
            after.remove(new)
        assert after == before
        verify(graph)
    assert list(map(repr, graph.copy().nodes())) == list(map(repr, graph.nodes()))


# Adding


@pytest.mark.parametrize("outputs", ["x", "e x", "e e"])
def test_a_node_whose_names_are_taken_leaves_no_trace(outputs: str) -> None:
    graph = chain()
    before = repr(graph), names(graph.values()), kinds(graph)
    with pytest.raises(og.GraphError, match="the name '[xe]' is used twice"):
        add(graph, "Split", "a", outputs, num_outputs=2)
    assert (repr(graph), names(graph.values()), kinds(graph)) == before
    assert [n.op_type for n in graph.consumers(graph.find("a"))] == ["Split"]
    verify(graph)
    add(graph, "Exp", "a", "e")


@pytest.mark.parametrize("name", ["", None, 3, "x"], ids=repr)
def test_a_value_needs_a_name_of_its_own(name: str) -> None:
    graph = chain()
    with pytest.raises(og.GraphError, match="a name is a text that is not empty|'x' is used twice"):
        graph.add_value(Value(name, FLOAT))
    verify(graph)


def test_names_are_unique_over_all_scopes() -> None:
    with pytest.raises(og.GraphError, match="the name 'inner_y' is used twice"):
        add(branched(), "Exp", "a", "inner_y")


def test_an_output_that_was_omitted_can_be_computed_too() -> None:
    graph = chain()
    node = add(graph, "LayerNormalization", "x w", "n")
    assert graph.add_output(node, 2, value("inverse")) is graph.find("inverse")
    assert repr(node) == "Node(n, , inverse = LayerNormalization(x, w))"
    assert graph.producer(graph.find("inverse")) is node
    graph.add_output(node, 1, value("mean"))
    add(graph, "Neg", "mean", "e")
    assert repr(node) == "Node(n, mean, inverse = LayerNormalization(x, w))"
    with pytest.raises(og.GraphError, match="'x' is used twice"):
        graph.add_output(by_type(graph, "Neg"), 1, value("x"))
    verify(graph)


# Taking away


def test_an_output_that_nothing_reads_can_be_omitted() -> None:
    graph = chain()
    node = by_type(graph, "Split")
    graph.omit_output(node, 1)
    graph.omit_output(node, 1)
    assert repr(node) == "Node(b,  = Split(a))" and "c" not in names(graph.values())
    graph.add_value(Value("c", FLOAT, np.ones(2, np.float32)))
    verify(graph)


@pytest.mark.parametrize(("op_type", "name"), [("Split", "b"), ("Neg", "d"), ("Add", "a")])
def test_what_is_in_use_stays(op_type: str, name: str) -> None:
    """Read by a node, given as an output, read in a subgraph."""
    graph = branched()
    if name == "a":
        graph.outputs = [graph.find("y")]
        for gone in ("Neg", "Split"):
            graph.remove(by_type(graph, gone))
    before = repr(graph), kinds(graph), names(graph.values())
    node = by_type(graph, op_type)
    with pytest.raises(og.GraphError, match=f"'{name}' is still in use"):
        graph.omit_output(node, 0)
    with pytest.raises(og.GraphError, match=f"'{name}' is still in use"):
        graph.remove(node)
    with pytest.raises(og.GraphError, match="'w' is still in use"):
        graph.remove(graph.find("w"))
    assert (repr(graph), kinds(graph), names(graph.values())) == before
    verify(graph)


def test_a_node_goes_with_what_it_computes() -> None:
    graph = chain()
    graph.outputs = []
    graph.remove(by_type(graph, "Neg"))
    graph.remove(by_type(graph, "Split"))
    assert kinds(graph) == ["Add"] and names(graph.values()) == {"x", "w", "a"}
    assert not graph.consumers(graph.find("a"))
    assert set(graph.to_networkx()) == {*graph.nodes(), *graph.values()}
    add(graph, "Exp", "a", "b")  # the name is free again
    verify(graph)


def test_a_value_goes_from_the_inputs_too() -> None:
    graph = chain()
    extra = graph.add_value(value("extra"))
    graph.inputs.append(extra)
    graph.remove(extra)
    assert [v.name for v in graph.inputs] == ["x"] and "extra" not in graph.names
    verify(graph)


def test_a_value_that_a_node_computes_goes_only_with_it() -> None:
    graph = chain()
    with pytest.raises(og.GraphError, match="a node computes 'c'; remove the node, or omit its"):
        graph.remove(graph.find("c"))
    verify(graph)


def test_a_capture_goes_with_its_last_reader() -> None:
    graph = branched()
    body = by_type(graph, "If").subgraphs[0]
    body.outputs = [graph.find("x")]
    body.remove(body.nodes()[0])
    assert [v.name for v in body.captures()] == ["x"]
    graph.reconnect(by_type(graph, "If"))
    verify(graph)


# Changing


def test_everything_that_reads_a_value_reads_another() -> None:
    graph = branched()
    graph.outputs.extend([graph.find("a"), graph.find("a")])
    graph.replace_uses(graph.find("a"), graph.find("w"))
    assert by_type(graph, "Split").inputs == (graph.find("w"),)
    assert [v.name for v in graph.outputs] == ["d", "y", "w", "w"]
    then, otherwise = by_type(graph, "If").subgraphs
    inner, _ = by_type(otherwise, "If").subgraphs
    assert [v.name for v in then.captures()] == ["w"] == [v.name for v in inner.captures()]
    assert names(otherwise.captures()) == {"flag", "w", "x"}
    assert not graph.consumers(graph.find("a"))
    verify(graph)
    graph.remove(by_type(graph, "Add"))
    verify(graph)


def test_an_output_of_a_subgraph_that_is_a_capture_is_replaced() -> None:
    graph = branched()
    graph.replace_uses(graph.find("x"), graph.find("w"))
    plain = by_type(by_type(graph, "If").subgraphs[1], "If").subgraphs[1]
    assert plain.outputs == [graph.find("w")]
    assert by_type(graph, "Add").inputs == (graph.find("w"), graph.find("w"))
    verify(graph)


def test_another_node_computes_a_value() -> None:
    """`redirect` keeps the name that the model knows."""
    graph = branched()
    add(graph, "Exp", "x", "new")
    add(graph, "Abs", "new", "abs")
    graph.redirect(graph.find("new"), graph.find("b"))
    assert repr(by_type(graph, "Exp")) == "Node(b = Exp(x))"
    assert repr(by_type(graph, "Split")) == "Node(, c = Split(a))"
    assert repr(by_type(graph, "Abs")) == "Node(abs = Abs(b))"
    assert "new" not in graph.names and "new" not in names(graph.values())
    verify(graph)


def test_a_value_that_is_redirected_leaves_the_outputs() -> None:
    graph = chain()
    add(graph, "Exp", "x", "new")
    graph.outputs = [graph.find("new"), graph.find("d")]
    graph.redirect(graph.find("new"), graph.find("d"))
    assert [v.name for v in graph.outputs] == ["d", "d"]
    assert by_type(graph, "Neg").outputs == (None,)
    verify(graph)


def test_one_output_of_a_node_becomes_another() -> None:
    graph = chain()
    graph.redirect(graph.find("c"), graph.find("b"))
    assert repr(by_type(graph, "Split")) == "Node(, b = Split(a))"
    verify(graph)


def test_edges_follow_changed_inputs() -> None:
    graph = chain()
    node = by_type(graph, "Neg")
    node.inputs = (graph.find("x"),)
    graph.reconnect(node)
    assert node in graph.consumers(graph.find("x")) and not graph.consumers(graph.find("b"))
    assert [v.name for v in graph.sources(node)] == ["x"]
    verify(graph)


def test_edges_follow_a_changed_subgraph() -> None:
    graph = branched()
    node = by_type(graph, "If")
    then, otherwise = node.subgraphs
    then.add_node(Node("Exp", (graph.find("w"),), (value("late"),)))
    then.outputs = [then.find("late")]
    then.remove(by_type(then, "Neg"))
    node.attributes["else_branch"] = then.copy(names=graph.names, renamed=True)
    graph.reconnect(node)
    assert [v.name for v in graph.sources(node)] == ["flag", "w"]
    assert node not in graph.consumers(graph.find("a"))
    verify(graph)


def test_a_value_is_found_by_its_new_name() -> None:
    graph = branched()
    a = graph.find("a")
    graph.rename(a, "total")
    assert graph.find("total") is a and graph.owns(a) and "a" not in graph.names
    assert repr(by_type(graph, "Split")) == "Node(b, c = Split(total))"
    verify(graph)
    with pytest.raises(og.GraphError, match="the name 'then_y' is used twice"):
        graph.rename(a, "then_y")
    assert graph.find("total") is a
    add(graph, "Exp", "x", "a")
    verify(graph)


def test_only_the_owner_renames() -> None:
    graph = branched()
    with pytest.raises(og.GraphError, match="'then' does not own 'a'"):
        by_type(graph, "If").subgraphs[0].rename(graph.find("a"), "total")
    assert graph.find("a").name == "a" and "total" not in graph.names
    verify(graph)


# Copying


def test_a_copy_is_the_same_and_apart() -> None:
    graph = branched()
    graph.metadata["author"], graph.doc = "me", "text"
    graph.find("w").elements = None
    mapping: dict[Value, Value] = {}
    other = graph.copy(mapping)
    verify(other)
    assert repr(other) == repr(graph) and other.doc == "text"
    assert list(map(repr, other.nodes())) == list(map(repr, graph.nodes()))
    assert not set(other.values()) & set(graph.values())
    assert mapping[graph.find("a")] is other.find("a") and len(mapping) == 11
    w, copied = graph.find("w"), other.find("w")
    assert copied.constant is w.constant and copied.parameter and copied.type == w.type
    before = kinds(graph), names(graph.values())
    other.metadata["author"] = "you"
    by_type(other, "Split").attributes["num_outputs"] = 1
    by_type(other, "If").subgraphs[0].outputs = [other.find("x")]
    other.rename(other.find("a"), "total")
    other.outputs = []
    other.remove(by_type(other, "If"))
    add(other, "Exp", "x", "e")
    assert kinds(other)[-1] == "Exp"
    assert (kinds(graph), names(graph.values())) == before and graph.metadata == {"author": "me"}
    assert by_type(graph, "Split").attributes == {"num_outputs": 2}
    verify(graph)


def test_elements_are_copied() -> None:
    graph = Graph("sizes")
    size = Value("size", TensorType(np.dtype("int64"), (1,)), elements=("N",))
    graph.inputs = [graph.add_value(size)]
    assert graph.copy().find("size").elements == ("N",)


def test_what_a_copied_subgraph_captures_is_mapped_where_it_was_copied() -> None:
    graph = branched()
    other = graph.copy()
    then = by_type(other, "If").subgraphs[0]
    assert then.captures() == [other.find("a")] and then.names is other.names
    alone = by_type(graph, "If").subgraphs[0].copy()
    assert alone.captures() == [graph.find("a")]
    mapped = by_type(graph, "If").subgraphs[0].copy({graph.find("a"): graph.find("w")})
    assert mapped.captures() == [graph.find("w")]


def test_a_renamed_copy_stands_beside_its_original() -> None:
    graph = branched()
    node = by_type(graph, "If")
    node.attributes["then_branch"] = node.subgraphs[1].copy(names=graph.names, renamed=True)
    graph.reconnect(node)
    verify(graph)
    then, otherwise = node.subgraphs
    assert kinds(then) == kinds(otherwise) == ["If"]
    assert [v.name for v in then.values()] == ["else_y_1"]
    assert [v.name for v in by_type(then, "If").subgraphs[0].values()] == ["inner_y_1"]


def test_a_node_of_many_inputs_reads_each_replacement_wherever_it_stood() -> None:
    graph = Graph("wide")
    values = [graph.add_value(value(f"x{k}")) for k in range(30)]
    graph.inputs = values
    inputs = (*values, *values[::-1], *values[:5])
    node = graph.add_node(Node("Concat", inputs, (value("y"),), {"axis": 0}))
    expected = list(inputs)
    for old, new in zip(values[:20], values[5:25], strict=True):
        graph.replace_uses(old, new)
        expected = [new if v is old else v for v in expected]
        assert node.inputs == tuple(expected) and graph.consumers(old) == []
    node.inputs = (values[25], *node.inputs[1:])  # set by someone else in between
    graph.reconnect(node)
    graph.replace_uses(values[25], values[0])
    assert node.inputs == (values[0], *(values[0] if v is values[25] else v for v in expected[1:]))
    verify(graph)
