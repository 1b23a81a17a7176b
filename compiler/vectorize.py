"""Put a batch axis on values of a graph and carry it through everything that depends on them.

It knows no operator; the rules are in compiler/batching. A node without a rule runs, alone, in a
Loop over the batch.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .batching import BATCHING, Batch, Operand, Result, Shared
from .errors import UnsupportedOpError
from .expand import expand_to_differentiate
from .ir import Graph, Node, Value, copy_node
from .ops import Ops
from .opset import COMPOSITE_DOMAIN
from .types import TensorType


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
    pending = deque(_between(graph, batched, of))
    while pending:
        node = pending.popleft()
        if not any(v in found for v in node.reads()):
            continue
        name = node.name or next(node.writes()).name
        batch = Batch(Ops(graph, prefix=f"{prefix}{name}/"), size)
        operands = [None if v is None else found.get(v, Operand(v, False)) for v in node.inputs]
        if not any(o is not None and o.batched for o in operands) and not node.subgraphs:
            found.update(_same_for_all(batch, node, operands))
            continue
        rule = BATCHING.get((node.domain, node.op_type))
        result: Result = rule(batch, node, operands) if rule is not None else None
        if result is None and node.domain == COMPOSITE_DOMAIN:
            pending.extendleft(reversed(expand_to_differentiate(graph, node)))
            continue
        if result is None:
            captured = {v: found[v] for g in node.subgraphs for v in g.captures() if v in found}
            result = loop_over_batch(batch, node, operands, captured)
        results = (result,) if isinstance(result, Value | Shared) else result
        for value, computed in zip(node.outputs, results, strict=True):
            if value is None or computed is None:
                continue
            if isinstance(computed, Shared):
                found[value] = Operand(computed.value, False)
            else:
                found[value] = Operand(computed, True)
    whole = Batch(Ops(graph, prefix=prefix), size)
    return [whole.spread(found.get(v, Operand(v, False))) for v in of]


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


def _between(graph: Graph, sources: Iterable[Value], of: Iterable[Value]) -> list[Node]:
    path = graph.downstream(sources) & graph.upstream(of)
    return [n for n in graph.nodes() if n in path]


def loop_over_batch(
    batch: Batch,
    node: Node,
    operands: Sequence[Operand | None],
    captured: Mapping[Value, Operand],
) -> list[Value | None]:
    """Run one node for each example in turn, in a Loop whose scan outputs are the batch."""
    if any(not isinstance(v.type, TensorType) for v in node.writes()):
        raise UnsupportedOpError(
            f"no batching rule for {node.operator} '{node.name}', whose result is no tensor",
            [node.operator],
        )
    names = batch.op.graph.names
    body = Graph(names.fresh(f"{batch.op.prefix}body"), names)
    inner = Ops(body, prefix=f"{batch.op.prefix}body/")
    for name, dtype in (("iteration", np.int64), ("condition", np.bool_)):
        value = Value(names.fresh(inner.prefix + name), TensorType(np.dtype(dtype), ()))
        body.inputs.append(body.add_value(value))
    iteration, condition = body.inputs

    def example(operand: Operand) -> Value:
        value: Value = inner.Gather(operand.value, iteration) if operand.batched else operand.value
        return value

    given = {v: o for v, o in zip(node.inputs, operands, strict=True) if v is not None and o}
    mapping = {v: example(o) for v, o in {**captured, **given}.items()}
    for value in node.writes():
        mapping[value] = Value(names.fresh(inner.prefix + value.name), value.type)
    copied = inner.adopt(copy_node(node, mapping, names, renamed=True))
    listed = [v for v in ((copied,) if isinstance(copied, Value) else copied) if v is not None]
    body.outputs = [inner.Identity(condition), *listed]
    trips = batch.op.Squeeze(batch.size, [0])
    stacked = batch.op.Loop(trips, np.array(True), body=body)
    found = iter((stacked,) if isinstance(stacked, Value) else stacked)
    return [None if v is None else next(found) for v in node.outputs]
