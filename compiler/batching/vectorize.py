"""Put a batch axis on values of a graph and carry it through everything that depends on them.

It knows no operator; the rules are in the other files here. A node without a rule runs, alone, in a
Loop over the batch; what computes with sequences, optionals and tensors whose shape is another one
for each example runs in one such Loop together.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial

import numpy as np

from ..composites.expand import expand_node, has_body
from ..differentiation.rules import has_chosen_gradient
from ..emission.ops import Ops
from ..errors import UnsupportedOpError
from ..graph.collection import without_collection
from ..graph.ir import Graph, Node, Value, copy_node
from ..graph.subgraphs import nodes_within
from ..graph.types import Dim, TensorType, is_float, is_static
from ..inference.shapes import elements_of, refine
from ..opset import COMPOSITE_DOMAIN
from ..standard.contrib import is_contrib
from . import BATCHING, Batch, Operand, Result, Shared
from .ragged import is_container, measures, ragged_values

_COUNTED_BY_NUMBERS = {"NonMaxSuppression", "NonZero", "Unique"}

_MOST_STEPS = 2**16
"""A loop of more is taken for one that only its condition ends."""


@without_collection()
def vectorize(
    graph: Graph, batched: Mapping[Value, Value], of: Iterable[Value], prefix: str
) -> list[Value]:
    """Emit what the graph computes for a batch of some values, in place.

    Args:
        graph: the graph that is extended.
        batched: for some values, the value that holds a batch of them along a new axis 0.
        of: the values that are wanted for the whole batch.
        prefix: first part of the names of what is emitted.

    Returns:
        The batch of each of `of`; what does not depend on `batched` is repeated.
    """
    of = list(of)
    size = Ops(graph, prefix=prefix).Shape(next(iter(batched.values())), end=1)
    found = {value: Operand(batch, True) for value, batch in batched.items()}
    _expand(graph, batched, of)
    ahead, apart, behind = _parts(graph, batched, of)
    _carry(graph, ahead, found, size, prefix)
    if apart:
        batch = Batch(Ops(graph, prefix=f"{prefix}examples/"), size)
        wanted = {*of, *(v for n in behind for v in n.reads())}
        found.update(loop_over_batch(batch, apart, found, wanted))
    _carry(graph, behind, found, size, prefix)
    whole = Batch(Ops(graph, prefix=prefix), size)
    return [whole.spread(found.get(v, Operand(v, False))) for v in of]


def _expand(graph: Graph, sources: Iterable[Value], of: Iterable[Value]) -> None:
    """Replace operators that have no rule by their bodies, which may have ragged values inside."""
    path = graph.downstream(sources) & graph.upstream(of)
    pending = deque(n for n in graph.nodes() if n in path)
    varying = set(sources)
    while pending:
        node = pending.popleft()
        if measures(node) or not varying.intersection(node.reads()):
            continue
        foreign = is_contrib(node) and has_body(node) and not has_chosen_gradient(node)
        has_no_rule = node.domain == COMPOSITE_DOMAIN or foreign
        ruled = not has_no_rule or (node.domain, node.op_type) in BATCHING
        if ruled or node.subgraphs or any(map(is_container, (*node.reads(), *node.writes()))):
            varying.update(node.writes())
        else:
            pending.extendleft(reversed(expand_node(graph, node)))


def _parts(
    graph: Graph, sources: Iterable[Value], of: Iterable[Value]
) -> tuple[list[Node], list[Node], list[Node]]:
    """Give what depends on the sources: ahead of ragged values, what has to do with these, behind.

    ONNX has no value for a batch of sequences, nor for one of tensors of differing shapes, so all
    nodes that read or give such run together, with what lies between them.
    """
    path = graph.downstream(sources) & graph.upstream(of)
    nodes = [n for n in graph.nodes() if n in path]
    ragged = ragged_values(nodes, sources)
    contained = [n for n in nodes if any(v in ragged for v in (*n.reads(), *n.writes()))]
    after = graph.downstream(v for n in contained for v in n.writes()) & path
    before = graph.upstream(v for n in contained for v in n.reads()) & path
    apart = {*contained, *(after & before)}
    return (
        [n for n in nodes if n not in apart and n not in after],
        [n for n in nodes if n in apart],
        [n for n in nodes if n not in apart and n in after],
    )


def _carry(
    graph: Graph, nodes: Iterable[Node], found: dict[Value, Operand], size: Value, prefix: str
) -> None:
    """Emit nodes for the whole batch, one by one, and note what they give."""
    for node in nodes:
        if not any(v in found for v in node.reads()):
            continue
        name = node.title
        batch = Batch(Ops(graph, prefix=f"{prefix}{name}/"), size)
        operands = [None if v is None else found.get(v, Operand(v, False)) for v in node.inputs]
        if not any(o is not None and o.batched for o in operands) and not node.subgraphs:
            found.update(_same_for_all(batch, node, operands))
            continue
        rule = BATCHING.get((node.domain, node.op_type))
        result: Result = rule(batch, node, operands) if rule is not None else None
        if result is None:
            looped = loop_over_batch(batch, [node], found, set(node.writes()))
            result = [None if v is None else looped[v].value for v in node.outputs]
        results = (result,) if isinstance(result, Value | Shared) else result
        for value, computed in zip(node.outputs, results, strict=True):
            if value is None or computed is None:
                continue
            if isinstance(computed, Shared):
                found[value] = Operand(computed.value, False)
            else:
                found[value] = Operand(_typed(batch, computed, value), True)


def _same_for_all(
    batch: Batch, node: Node, operands: Sequence[Operand | None]
) -> dict[Value, Operand]:
    """Emit a node once more on operands without a batch axis, such as shapes of examples."""
    graph = batch.op.graph
    mapping = {
        v: o.value for v, o in zip(node.inputs, operands, strict=True) if v is not None and o
    }
    for value in node.writes():
        mapping[value] = Value(graph.names.fresh(batch.op.prefix + value.name), value.type)
    batch.op.adopt(copy_node(node, mapping, graph.names))
    return {v: Operand(mapping[v], False) for v in node.writes()}


def loop_over_batch(
    batch: Batch, nodes: Sequence[Node], found: Mapping[Value, Operand], wanted: Set[Value]
) -> dict[Value, Operand]:
    """Run nodes for each example in turn, in a Loop whose scan outputs are the batch.

    Args:
        batch: what is emitted through.
        nodes: in topological order; what lies between two of them is among them.
        found: the operands of values that they read, where these depend on the example.
        wanted: which values the batch is wanted of.
    """
    given = [v for n in nodes for v in n.writes() if v in wanted]
    for value in given:
        if is_container(value):
            raise UnsupportedOpError(
                f"'{value.name}' is {value.type}: ONNX has no batch of these", [nodes[0].operator]
            )
    names = batch.op.graph.names
    body = Graph(names.fresh(f"{batch.op.prefix}body"), names)
    inner = Ops(body, prefix=f"{batch.op.prefix}body/")
    for name, dtype in (("iteration", np.int64), ("condition", np.bool_)):
        value = Value(names.fresh(inner.prefix + name), TensorType(np.dtype(dtype), ()))
        body.inputs.append(body.add_value(value))
    iteration, condition = body.inputs
    inside = {v for n in nodes for v in n.writes()}
    read = dict.fromkeys(v for n in nodes for v in n.reads() if v not in inside)
    operands = {v: found.get(v, Operand(v, False)) for v in read}
    sizes = _sizes(batch, operands.values())
    made_up = _needs_an_example(batch, nodes, operands, given, sizes.keys())
    mapping = {
        v: inner.Gather(_one_at_least(batch, o.value) if made_up else o.value, iteration)
        if o.batched
        else o.value
        for v, o in operands.items()
    }
    for node in nodes:
        for value in node.writes():
            mapping[value] = Value(names.fresh(inner.prefix + value.name), value.type)
        inner.adopt(copy_node(node, mapping, names, renamed=True))
    body.outputs = [inner.Identity(condition), *(mapping[v] for v in given)]
    trips = batch.op.Squeeze(batch.size, [0])
    if made_up:
        trips = batch.op.Max(trips, np.array(1))
    listed = batch.op.emit_all("Loop", trips, np.array(True), body=body)
    if made_up:
        listed = tuple(v and batch.op.Slice(v, [0], batch.size, [0]) for v in listed)
    return {
        v: Operand(_sized(batch, new, v, sizes), True)
        for v, new in zip(given, listed, strict=True)
        if new is not None
    }


def _needs_an_example(
    batch: Batch,
    nodes: Sequence[Node],
    operands: Mapping[Value, Operand],
    given: Iterable[Value],
    sizes: Set[Dim],
) -> bool:
    """Tell whether only running the nodes tells sizes that a batch without examples has, too.

    An example of ones then stands in: not for integers, which may be sizes or indices of a kind
    that 1 is none of, nor where a loop might never end on it, nor where its numbers decide how many
    there are or which of two shapes is taken, which what is fed besides would not fit.
    """
    count = elements_of(batch.size)
    if count is not None and isinstance(count[0], int) and count[0] > 0:
        return False
    examples = [o.value for o in operands.values() if o.batched]
    if not all(x.dtype == np.bool_ or is_float(x.dtype) for x in examples):
        return False
    everywhere = [n for node in nodes for n in nodes_within(node)]
    if any(n.op_type in _COUNTED_BY_NUMBERS for n in everywhere):
        return False
    same = {v for v, o in operands.items() if not o.batched}
    if any(n.op_type == "If" and n.inputs[0] not in same and _differ(n) for n in everywhere):
        return False
    return any(_untold(v, sizes) for v in given) and all(map(_ends, nodes))


def _differ(node: Node) -> bool:
    """Tell whether the branches of an If may give values of other shapes."""
    a, b = ([v.type for v in graph.outputs] for graph in node.subgraphs)
    return a != b


def _ends(node: Node) -> bool:
    """Tell whether a node certainly ends: no loop of it is without a known number of steps.

    One that walks back, an Iterate without a condition, takes no more steps than the one before it.
    """
    if node.op_type == "Loop" or node.op_type == "Iterate" and node.input(1) is not None:
        steps = node.input(0)
        if steps is None or steps.constant is None or steps.constant > _MOST_STEPS:
            return False
    return all(_ends(n) for subgraph in node.subgraphs for n in subgraph.nodes())


def _one_at_least(batch: Batch, x: Value) -> Value:
    """Give a batch, or an example of ones where it has none: 0 is not a step of a Range."""
    op = batch.op
    missing = op.Max(op.Sub([1], batch.size), [0])
    shape = op.Concat(missing, op.Shape(x, start=1), axis=0)
    return op.Concat(x, op.ConstantOfShape(shape, value=np.ones(1, x.dtype)), axis=0)


def _sizes(batch: Batch, operands: Iterable[Operand]) -> dict[Dim, Callable[[], Value]]:
    """Give how to emit the sizes that operands tell by the shapes of examples or as numbers."""
    op, sizes = batch.op, dict[Dim, Callable[[], Value]]()
    for x in operands:
        if is_container(x.value):
            continue
        for axis, dim in enumerate(x.value.shape or ()):
            if axis or not x.batched:
                sizes.setdefault(dim, partial(op.Shape, x.value, start=axis, end=axis + 1))
        for k, dim in enumerate(() if x.batched else elements_of(x.value) or ()):
            sizes.setdefault(dim, partial(_element, op, x.value, k))
    return sizes


def _element(op: Ops, x: Value, k: int) -> Value:
    return op.Slice(op.Reshape(x, [-1]), [k], [k + 1])


def _sized(
    batch: Batch, stacked: Value, example: Value, sizes: Mapping[Dim, Callable[[], Value]]
) -> Value:
    """State the shape of what a Loop stacked: without examples it would have sizes of 0."""
    op, shape = batch.op, example.shape
    if shape is None or _untold(example, sizes.keys()):
        return stacked
    if not is_static(shape):
        dims = [op.constant([d], "int64") if isinstance(d, int) else sizes[d]() for d in shape]
        stacked = op.Reshape(stacked, op.Concat(batch.size, *dims, axis=0), allowzero=1)
    return _typed(batch, stacked, example)


def _untold(example: Value, sizes: Set[Dim]) -> bool:
    """Tell whether an example has a size that neither stands there nor is among those known."""
    shape = example.shape
    return shape is None or any(isinstance(d, str) and d not in sizes for d in shape)


def _typed(batch: Batch, values: Value, example: Value) -> Value:
    """State the type of a batch by that of an example: all have one shape."""
    sizes = elements_of(batch.size)
    if sizes is not None and example.shape is not None:
        shape = refine(values.shape, (*sizes, *example.shape))
        values.type = TensorType(example.dtype, shape)
    return values
