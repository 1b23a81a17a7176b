"""Put a finished graph into one under construction; it changes neither of their numbers."""

from collections.abc import Mapping

from onnxgrad.compiler.emission.inlining import move_in
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.dims import substitute, symbols
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.names import suggestion
from onnxgrad.compiler.graph.subgraphs import all_graphs
from onnxgrad.compiler.graph.types import (
    Dim,
    OptionalType,
    SequenceType,
    TensorType,
    Type,
    fresh_dim,
)


def put_in(
    outer: Graph,
    inner: Graph,
    graph: Graph,
    given: Mapping[str, Value],
    shared: dict[Value, Value],
) -> list[Value]:
    """Let `inner`, a part of `outer`, own a copy of a graph that reads given values; give outputs.

    Parameters land in `outer`, where training finds them; `shared` (the graph's → those of `outer`)
    tells which are there already, and gains the others. Sizes that the graph calls by a name are
    those of what it is given; of any others nothing is known.

    Raises:
        GraphError: inputs are missing or unknown, or do not have the types that the graph wants; a
            parameter holds another array than it did when it was shared.
    """
    _require_inputs(graph, given)
    _require_unchanged(graph, shared)
    sizes = _sizes(graph, given)
    copy = graph.copy(names=outer.names, renamed=True)
    for part in all_graphs(copy):
        for value in part.values():
            value.type = _retyped(value.type, sizes)
            if value.elements is not None:
                value.elements = tuple(_resized(d, sizes) for d in value.elements)
    for value, original in list(zip(copy.inputs, graph.inputs, strict=True)):
        copy.replace_uses(value, given[original.name])
        copy.remove(value)
    for value, original in list(zip(copy.parameters, graph.parameters, strict=True)):
        if original not in shared:
            shared[original] = held = Value(value.name, value.type, value.constant, parameter=True)
            copy.rename(value, outer.names.fresh(f"{held.name}.inner"))
            outer.add_value(held)
            outer.names.keep(held.name)
        copy.replace_uses(value, shared[original])
        copy.remove(value)
    inside = copy.values()
    found = move_in(Ops(inner), copy)
    for value in inside:
        outer.names.give_way(value.name)
    return found


def _require_inputs(graph: Graph, given: Mapping[str, Value]) -> None:
    wanted = [v.name for v in graph.inputs]
    for name in given:
        if name not in wanted:
            raise GraphError(f"'{graph.name}' has no input '{name}'{suggestion(name, wanted)}")
    if missing := [name for name in wanted if name not in given]:
        raise GraphError(f"'{graph.name}' needs its inputs {', '.join(missing)}, too")


def _require_unchanged(graph: Graph, shared: Mapping[Value, Value]) -> None:
    for value in graph.parameters:
        if value in shared and shared[value].constant is not value.constant:
            raise GraphError(
                f"'{value.name}' of '{graph.name}' holds another array than when the graph was "
                f"called before, and both calls share it; call a copy, {graph.name}.copy()"
            )


def _sizes(graph: Graph, given: Mapping[str, Value]) -> dict[str, Dim]:
    """Give the size that each name of the graph stands for; for others, one that nothing has."""
    sizes: dict[str, Dim] = {}
    pairs = [pair for v in graph.inputs for pair in _pairs(v, v.type, given[v.name].type)]
    for name, wanted, size in pairs:
        if isinstance(wanted, str) and symbols(wanted) == {wanted}:
            if sizes.setdefault(wanted, size) != size:
                raise GraphError(
                    f"'{graph.name}' takes '{wanted}' for one size, but '{name}' makes it {size} "
                    f"where it was {sizes[wanted]}"
                )
    found = dict(sizes)
    for part in all_graphs(graph):
        for value in part.values():
            for symbol in _symbols(value):
                found.setdefault(symbol, fresh_dim())
    for name, wanted, size in pairs:
        known = isinstance(wanted, int) or symbols(wanted) <= sizes.keys()
        if known and substitute(wanted, found) != size:
            raise GraphError(
                f"'{graph.name}' wants the size {substitute(wanted, found)} in its input '{name}', "
                f"which is {size} here"
            )
    return found


def _pairs(value: Value, wanted: Type, got: Type) -> list[tuple[str, Dim, Dim]]:
    """Pair the sizes that an input has with those of what it is given."""
    match wanted, got:
        case TensorType(dtype, shape), TensorType(other, known) if dtype == other:
            if shape is None or known is None:
                return []
            if len(shape) == len(known):
                return [(value.name, a, b) for a, b in zip(shape, known, strict=True)]
        case (SequenceType(a), SequenceType(b)) | (OptionalType(a), OptionalType(b)):
            return _pairs(value, a, b)
    raise GraphError(f"the input '{value.name}' is {wanted}, got {got}")


def _symbols(value: Value) -> set[str]:
    type_ = value.type
    while not isinstance(type_, TensorType):
        type_ = type_.element
    dims = [*(type_.shape or ()), *(value.elements or ())]
    return {name for dim in dims if isinstance(dim, str) for name in symbols(dim)}


def _retyped(type_: Type, sizes: Mapping[str, Dim]) -> Type:
    match type_:
        case TensorType(dtype, shape):
            known = None if shape is None else tuple(_resized(d, sizes) for d in shape)
            return TensorType(dtype, known)
        case SequenceType(element):
            return SequenceType(_retyped(element, sizes))
        case OptionalType(element):
            return OptionalType(_retyped(element, sizes))


def _resized(dim: Dim, sizes: Mapping[str, Dim]) -> Dim:
    return substitute(dim, sizes) if isinstance(dim, str) else dim
