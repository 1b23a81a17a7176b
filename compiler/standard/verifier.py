"""Check that a graph is well formed: order, edges, names, arity, types; it mends nothing."""

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
    _verify(graph, set())


def _verify(graph: Graph, outer: set[Value]) -> None:
    known = outer | set(graph.inputs) | {v for v in graph.values() if v.constant is not None}
    for value in known - outer:
        _require(value.name in graph.names, f"the name of '{value.name}' is not taken")
    for value in graph.inputs:
        _require(graph.owns(value), f"the input '{value.name}' is not the graph's own")
        _require(graph.producer(value) is None, f"a node computes the input '{value.name}'")
    for node in graph.nodes():
        for value in filter(None, node.inputs):
            computed = value in known
            _require(computed, f"{node} reads '{value.name}', which nothing before it computes")
        _verify_edges(graph, node)
        for subgraph in node.subgraphs:
            _require(subgraph.names is graph.names, f"a subgraph of {node} has names of its own")
            _verify(subgraph, known)
        _verify_call(node)
        known |= set(node.writes())
    for value in graph.outputs:
        _require(value in known, f"nothing computes the output '{value.name}'")
    for value in graph.values():
        _require(value in known, f"'{value.name}' is owned, but nothing computes it")
        _verify_constant(value)


def _verify_edges(graph: Graph, node: Node) -> None:
    for value in node.reads():
        _require(
            graph.is_connected(value, node),
            f"{node} reads '{value.name}', but no edge says so; call reconnect",
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
        outputs = len(node.outputs)
        _require(0 < outputs <= schema.max_output, f"{outputs} outputs are too many")
    except (GraphError, UnsupportedOpError) as error:
        locate(error, f"in {node}")
        raise


def _verify_constant(value: Value) -> None:
    """The array of a value must be what its type says; so must its elements."""
    array, type_ = value.constant, value.type
    if not isinstance(type_, TensorType):
        _require(isinstance(type_, SequenceType | OptionalType), f"'{value.name}' has no type")
        _require(array is None, f"'{value.name}' is {type_} and has an array")
        return
    if array is not None:
        strings = array.dtype.kind in "OUS" and type_.dtype.kind in "OUS"
        _require(
            strings or array.dtype == type_.dtype,
            f"'{value.name}' is {type_}, its array has the dtype {array.dtype}",
        )
        fits = (
            type_.shape is None
            or len(type_.shape) == array.ndim
            and all(
                d == n for d, n in zip(type_.shape, array.shape, strict=True) if isinstance(d, int)
            )
        )
        _require(fits, f"'{value.name}' is {type_}, its array has the shape {array.shape}")


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise GraphError(f"the graph is not well formed: {complaint}")
