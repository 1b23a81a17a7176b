"""Check that a graph is well formed: order, edges, names, arity, types; it mends nothing."""

from onnx.defs import OpSchema

from ..errors import GraphError, UnsupportedOpError, locate
from ..graph.ir import Graph, Node, Value
from ..graph.types import OptionalType, SequenceType, TensorType
from ..opset import COMPOSITE_DOMAIN
from .schemas import check_call, check_types, formal_input, get_schema


def verify(graph: Graph) -> None:
    """Check a graph and its subgraphs.

    Raises:
        GraphError: the first thing that is wrong, with the names of node and value.
        UnsupportedOpError: an operator that neither ONNX nor onnxgrad knows.
    """
    _verify(graph, set(), set())


def _verify(graph: Graph, known: set[Value], taken: set[str]) -> None:
    """Check a graph that may read what is known; `taken` are the names met, in the whole model."""
    for value in graph.values():
        _verify_name(graph, value, taken)
        _verify_known(value)
    for value in graph.inputs:
        if not graph.owns(value):
            raise _malformed(f"the input '{value.name}' is not the graph's own")
        if graph.producer(value) is not None:
            raise _malformed(f"a node computes the input '{value.name}'")
    known.update(graph.inputs)
    known.update(v for v in graph.values() if v.constant is not None)
    for node in graph.nodes():
        for value in filter(None, node.inputs):
            if value not in known:
                raise _malformed(f"{node} reads '{value.name}', which nothing before it computes")
        _verify_edges(graph, node)
        for subgraph in node.subgraphs:
            if subgraph.names is not graph.names:
                raise _malformed(f"a subgraph of {node} has names of its own")
            _verify(subgraph, known, taken)
        _verify_call(node)
        known.update(node.writes())
    for value in graph.outputs:
        if value not in known:
            raise _malformed(f"nothing computes the output '{value.name}'")
    for value in graph.values():
        if value not in known:
            raise _malformed(f"'{value.name}' is owned, but nothing computes it")
    known.difference_update(graph.values())


def _verify_name(graph: Graph, value: Value, taken: set[str]) -> None:
    if not graph.owns(value):
        raise _malformed(f"the graph knows '{value.name}' by another name; call rename")
    if value.name not in graph.names:
        raise _malformed(f"the name of '{value.name}' is not taken")
    if value.name in taken:
        raise _malformed(f"two values have the name '{value.name}'")
    taken.add(value.name)


def _verify_edges(graph: Graph, node: Node) -> None:
    reads, sources = dict.fromkeys(node.reads()), dict.fromkeys(graph.sources(node))
    for value in reads:
        if value not in sources:
            raise _malformed(f"{node} reads '{value.name}', but no edge says so; call reconnect")
    for value in sources:
        if value not in reads:
            raise _malformed(
                f"an edge says that {node} reads '{value.name}', but it does not; call reconnect"
            )
    for value in node.writes():
        if not graph.owns(value):
            raise _malformed(f"{node} writes '{value.name}', which the graph does not own")
        if graph.producer(value) is not node:
            raise _malformed(f"another node computes '{value.name}' of {node}")


def _verify_call(node: Node) -> None:
    for name, attribute in node.attributes.items():
        if attribute is None:
            raise _malformed(f"the attribute '{name}' of {node} is None")
    if node.domain == COMPOSITE_DOMAIN:
        return
    try:
        schema = get_schema(node.op_type, node.domain)
        check_call(schema, len(node.inputs), node.attributes)
        check_types(schema, [None if v is None else v.type for v in node.inputs])
    except (GraphError, UnsupportedOpError) as error:
        locate(error, f"in {node}")
        raise
    for k, value in enumerate(node.inputs):
        if value is None:
            formal = formal_input(schema, k)
            if formal.option != OpSchema.FormalParameterOption.Optional:
                raise _malformed(f"{node} omits '{formal.name}', which it needs")
    outputs = len(node.outputs)
    if not schema.min_output <= outputs <= schema.max_output:
        raise _malformed(f"{node} has {outputs} outputs, a number that {schema.name} cannot give")


def _verify_known(value: Value) -> None:
    """What is known of a value while compiling must be what its type says."""
    array, elements, type_ = value.constant, value.elements, value.type
    if not isinstance(type_, TensorType):
        if not isinstance(type_, SequenceType | OptionalType):
            raise _malformed(f"'{value.name}' has no type")
        if array is not None or elements is not None:
            what = "an array" if elements is None else "elements"
            raise _malformed(f"'{value.name}' is {type_} and has {what}")
        return
    if array is not None:
        strings = array.dtype.kind in "OUS" and type_.dtype.kind in "OUS"
        if not strings and array.dtype != type_.dtype:
            raise _malformed(f"'{value.name}' is {type_}, its array has the dtype {array.dtype}")
        if not _fits(type_, array.shape):
            raise _malformed(f"'{value.name}' is {type_}, its array has the shape {array.shape}")
    if elements is not None:
        count = len(elements)
        fits = _fits(type_, (count,)) or type_.shape == () and count == 1
        if not fits or type_.dtype.kind not in "iub":
            raise _malformed(f"'{value.name}' is {type_}, its elements are {elements}")


def _fits(type_: TensorType, shape: tuple[int, ...]) -> bool:
    if type_.shape is None:
        return True
    return len(type_.shape) == len(shape) and all(
        dim == size for dim, size in zip(type_.shape, shape, strict=True) if isinstance(dim, int)
    )


def _malformed(complaint: str) -> GraphError:
    return GraphError(f"the graph is not well formed: {complaint}")
