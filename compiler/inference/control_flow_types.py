"""Types of what If, Loop, Scan and SequenceMap give, from those of their subgraphs.

What their subgraphs take is body_types.py's.
"""

from collections.abc import Callable, Sequence

from ..errors import GraphError
from ..graph.dims import shapes_may_equal
from ..graph.ir import Graph, Node, Value
from ..graph.recurrence import never_stops
from ..graph.types import Dim, OptionalType, SequenceType, TensorType, Type, fresh_dim
from ..graph.wording import counted
from .refusal import explain, require
from .shapes import elements_of


def join(a: Type, b: Type) -> Type:
    """Give the most precise type that both are; dimensions that differ get a fresh name."""
    if isinstance(a, TensorType) and isinstance(b, TensorType) and a.dtype == b.dtype:
        if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
            return TensorType(a.dtype, None)
        dims = tuple(p if p == q else fresh_dim() for p, q in zip(a.shape, b.shape, strict=True))
        return TensorType(a.dtype, dims)
    if isinstance(a, SequenceType) and isinstance(b, SequenceType):
        return SequenceType(join(a.element, b.element))
    if isinstance(a, OptionalType) or isinstance(b, OptionalType):
        x = a.element if isinstance(a, OptionalType) else a
        y = b.element if isinstance(b, OptionalType) else b
        return OptionalType(join(x, y))
    raise GraphError(f"one value cannot be both {a} and {b}")


def _if(node: Node) -> list[Type | None]:
    branches: list[Graph] = [node.attributes["then_branch"], node.attributes["else_branch"]]
    then, other = branches
    if len(then.outputs) != len(other.outputs):
        raise GraphError(
            f"If '{node.name}': then_branch has {counted(len(then.outputs), 'output')}, "
            f"else_branch {len(other.outputs)}"
        )
    joined = [join(a.type, b.type) for a, b in zip(then.outputs, other.outputs, strict=True)]
    condition = node.inputs[0]
    if condition is None or condition.constant is None or condition.parameter:
        return [*joined]
    return [v.type for v in (then if condition.constant.all() else other).outputs]


def _loop(node: Node) -> list[Type | None]:
    body: Graph = node.attributes["body"]
    states = len(body.inputs) - 2
    result = _states(node, node.inputs[2:], body.inputs[2:], body.outputs[1 : 1 + states])
    trips: Dim = fresh_dim()
    limit = elements_of(node.inputs[0])
    if limit and never_stops(node) and "-" not in str(limit[0]):  # a size that is never negative
        trips = limit[0]
    result.extend(_stacked(v.type, trips, 0) for v in body.outputs[1 + states :])
    return result


def _states(
    node: Node,
    initial: Sequence[Value | None],
    before: Sequence[Value],
    after: Sequence[Value],
) -> list[Type | None]:
    """Give the types of the states after the last step; a size that changes must not be fixed."""
    result: list[Type | None] = []
    for start, enters, leaves in zip(initial, before, after, strict=True):
        types = [v.type for v in (start, leaves) if v is not None]
        for type_ in types:
            if not _may_be(type_, enters.type):
                raise GraphError(
                    f"the state '{enters.name}' of {node.op_type} is {enters.type} as a step "
                    f"begins, and also {type_}; give a size that changes a name of its own"
                )
        result.append(join(types[0], types[-1]))
    return result


def _may_be(given: Type, wanted: Type) -> bool:
    """Tell whether a value of one type may stand where another is expected."""
    if isinstance(given, TensorType) and isinstance(wanted, TensorType):
        return given.dtype == wanted.dtype and shapes_may_equal(given.shape, wanted.shape)
    if isinstance(given, SequenceType) and isinstance(wanted, SequenceType):
        return _may_be(given.element, wanted.element)
    return True


def _scan(node: Node) -> list[Type | None]:
    body: Graph = node.attributes["body"]
    count = int(node.attributes["num_scan_inputs"])
    states = len(node.inputs) - count
    result = _states(node, node.inputs[:states], body.inputs[:states], body.outputs[:states])
    outputs = body.outputs[states:]
    in_axes = node.attributes.get("scan_input_axes") or [0] * count
    out_axes = node.attributes.get("scan_output_axes") or [0] * len(outputs)
    trips: Dim = fresh_dim()
    for value, axis in zip(node.inputs[states:], in_axes, strict=True):
        if value is not None and value.shape is not None:
            if not -len(value.shape) <= axis < len(value.shape):
                reason = f"'{value.name}' has no axis {axis} of scan_input_axes"
                raise GraphError(explain(node, reason))
            length = value.shape[axis]
            trips = length if isinstance(length, int) or isinstance(trips, str) else trips
    for value, axis in zip(outputs, out_axes, strict=True):
        rank = _stacked_rank(value.type)
        known = rank is None or -rank <= axis < rank
        require(node, known, f"scan_output_axes names axis {axis} of an output of rank {rank}")
        result.append(_stacked(value.type, trips, axis))
    return result


def _stacked_rank(type_: Type) -> int | None:
    shape = type_.shape if isinstance(type_, TensorType) else None
    return None if shape is None else len(shape) + 1


def _stacked(type_: Type, trips: Dim, axis: int) -> Type:
    if not isinstance(type_, TensorType):
        raise GraphError("a scan output must be a tensor")
    if type_.shape is None:
        return type_
    dims = list(type_.shape)
    dims.insert(axis if axis >= 0 else len(dims) + 1 + axis, trips)
    return TensorType(type_.dtype, tuple(dims))


def _sequence_map(node: Node) -> list[Type | None]:
    return [SequenceType(v.type) for v in node.attributes["body"].outputs]


CONTROL_FLOW_TYPES: dict[str, Callable[[Node], list[Type | None]]] = {
    "If": _if,
    "Loop": _loop,
    "Scan": _scan,
    "SequenceMap": _sequence_map,
}
