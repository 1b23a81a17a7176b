"""Check that a graph is well formed: order, edges, names, arity, types; it mends nothing."""

from onnx.defs import OpSchema

from ..errors import GraphError, UnsupportedOpError, locate
from ..graph.ir import Graph, Node, Value
from ..graph.types import OptionalType, SequenceType, TensorType
from ..opset import COMPOSITE_DOMAIN
from .schemas import check_call, check_types, get_schema


def verify(graph: Graph) -> None:
    """Check a graph and its subgraphs.

    Raises:
        GraphError: the first thing that is wrong, with the names of node and value.
        UnsupportedOpError: an operator that neither ONNX nor onnxgrad knows.
    """
    _verify(graph, set(), set())


def _verify(graph: Graph, outer: set[Value], taken: set[str]) -> None:
    """Check a graph that may read `outer`; `taken` are the names met, over the whole model."""
    for value in graph.values():
        _verify_name(graph, value, taken)
        _verify_known(value)
    for value in graph.inputs:
        _require(graph.owns(value), f"the input '{value.name}' is not the graph's own")
        _require(graph.producer(value) is None, f"a node computes the input '{value.name}'")
    known = outer | set(graph.inputs) | {v for v in graph.values() if v.constant is not None}
    for node in graph.nodes():
        for value in filter(None, node.inputs):
            computed = value in known
            _require(computed, f"{node} reads '{value.name}', which nothing before it computes")
        _verify_edges(graph, node)
        for subgraph in node.subgraphs:
            _require(subgraph.names is graph.names, f"a subgraph of {node} has names of its own")
            _verify(subgraph, known, taken)
        _verify_call(node)
        known |= set(node.writes())
    for value in graph.outputs:
        _require(value in known, f"nothing computes the output '{value.name}'")
    for value in graph.values():
        _require(value in known, f"'{value.name}' is owned, but nothing computes it")


def _verify_name(graph: Graph, value: Value, taken: set[str]) -> None:
    _require(graph.owns(value), f"the graph knows '{value.name}' by another name; call rename")
    _require(value.name in graph.names, f"the name of '{value.name}' is not taken")
    _require(value.name not in taken, f"two values have the name '{value.name}'")
    taken.add(value.name)


def _verify_edges(graph: Graph, node: Node) -> None:
    reads = set(node.reads())
    for value in reads:
        _require(
            graph.is_connected(value, node),
            f"{node} reads '{value.name}', but no edge says so; call reconnect",
        )
    for value in graph.sources(node):
        _require(
            value in reads,
            f"an edge says that {node} reads '{value.name}', but it does not; call reconnect",
        )
    for value in node.writes():
        _require(graph.owns(value), f"{node} writes '{value.name}', which the graph does not own")
        _require(graph.producer(value) is node, f"another node computes '{value.name}' of {node}")


def _verify_call(node: Node) -> None:
    for name, attribute in node.attributes.items():
        _require(attribute is not None, f"the attribute '{name}' of {node} is None")
    if node.domain == COMPOSITE_DOMAIN:
        return
    try:
        schema = get_schema(node.op_type, node.domain)
        check_call(schema, len(node.inputs), node.attributes)
        check_types(schema, [None if v is None else v.type for v in node.inputs])
    except (GraphError, UnsupportedOpError) as error:
        locate(error, f"in {node}")
        raise
    last = len(schema.inputs) - 1
    for k, value in enumerate(node.inputs):
        formal = schema.inputs[min(k, last)]
        optional = formal.option == OpSchema.FormalParameterOption.Optional
        _require(value is not None or optional, f"{node} omits '{formal.name}', which it needs")
    outputs = len(node.outputs)
    fits = schema.min_output <= outputs <= schema.max_output
    _require(fits, f"{node} has {outputs} outputs, a number that {schema.name} cannot give")


def _verify_known(value: Value) -> None:
    """What is known of a value while compiling must be what its type says."""
    array, type_ = value.constant, value.type
    if not isinstance(type_, TensorType):
        _require(isinstance(type_, SequenceType | OptionalType), f"'{value.name}' has no type")
        _require(array is None, f"'{value.name}' is {type_} and has an array")
        _require(value.elements is None, f"'{value.name}' is {type_} and has elements")
        return
    if array is not None:
        strings = array.dtype.kind in "OUS" and type_.dtype.kind in "OUS"
        _require(
            strings or array.dtype == type_.dtype,
            f"'{value.name}' is {type_}, its array has the dtype {array.dtype}",
        )
        _require(
            _fits(type_, array.shape),
            f"'{value.name}' is {type_}, its array has the shape {array.shape}",
        )
    if value.elements is not None:
        count = len(value.elements)
        _require(
            type_.dtype.kind in "iub"
            and (_fits(type_, (count,)) or (type_.shape, count) == ((), 1)),
            f"'{value.name}' is {type_}, its elements are {value.elements}",
        )


def _fits(type_: TensorType, shape: tuple[int, ...]) -> bool:
    if type_.shape is None:
        return True
    return len(type_.shape) == len(shape) and all(
        dim == size for dim, size in zip(type_.shape, shape, strict=True) if isinstance(dim, int)
    )


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise GraphError(f"the graph is not well formed: {complaint}")
