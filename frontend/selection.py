"""Which values of a graph a caller means, and what they must be; it differentiates nothing."""

from collections.abc import Iterable, Sequence

import numpy as np

from onnxgrad.compiler.emission.naming import GRADIENT, is_emitted
from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import GradientError, GraphError
from onnxgrad.compiler.graph.arguments import require_graph
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.types import TensorType, is_differentiable, is_float
from onnxgrad.compiler.passes.split_sequences import split_sequences

Selection = str | Value | Sequence[str | Value]
"""One value or several, by name or as a Value of the graph."""


def copied(graph: Graph) -> tuple[Graph, dict[Value, Value]]:
    """Copy a graph; give also where each of its values went."""
    mapping: dict[Value, Value] = {}
    copy = require_graph(graph).copy(mapping)
    split_sequences(copy)
    return copy, mapping


def select(graph: Graph, mapping: dict[Value, Value], chosen: Selection) -> list[Value]:
    """Find values of a graph by name or Value; give them in its copy."""
    return [mapping[v] for v in find_values(graph, chosen)]


def select_one(graph: Graph, mapping: dict[Value, Value], chosen: str | Value) -> Value:
    """Find one value of a graph by name or Value; give it in its copy."""
    found = select(graph, mapping, chosen)
    if len(found) > 1:
        raise GraphError(f"{len(found)} values where one is wanted")
    return found[0]


def find_values(graph: Graph, chosen: Selection) -> list[Value]:
    """Find values of a graph by name or Value.

    Raises:
        GraphError: there are none, one is named twice, is unknown or another graph's.
    """
    several = isinstance(chosen, Iterable) and not isinstance(chosen, str | Value)
    listed: list[object] = [*chosen] if several else [chosen]  # type: ignore[misc]  # see above
    if not listed:
        raise GraphError("an empty list of values; name at least one")
    found: dict[Value, None] = {}
    for item in listed:
        if not isinstance(item, str | Value):
            raise GraphError(f"a value goes by its name or as a Value, not as {item!r}")
        value = graph.find(item) if isinstance(item, str) else item
        if not graph.owns(value):
            raise GraphError(f"'{value.name}' is a value of another graph; give its name instead")
        if value in found:
            raise GraphError(f"'{value.name}' is named twice")
        found[value] = None
    return list(found)


def require_scalar(value: Value) -> None:
    """Refuse what is not one float."""
    require_float(value, "of")
    if value.shape is None or any(d != 1 for d in value.shape):
        raise GradientError(
            f"of='{value.name}' is {value.type}, not a scalar; reduce it (ReduceSum, ReduceMean), "
            "or use vjp with a cotangent of its shape"
        )


def require_float(value: Value, role: str) -> None:
    """Refuse what is no float tensor."""
    if not isinstance(value.type, TensorType) or not is_float(value.dtype):
        raise GradientError(
            f"{role}='{value.name}' is {value.type}; this needs a float tensor (by and of sequences"
            " and optionals of them there are vjp and jvp, by them grad and hvp)"
        )


def require_differentiable(value: Value, role: str) -> None:
    """Refuse what holds no floats; sequences and optionals have gradients of their own type."""
    if not is_differentiable(value.type):
        raise GradientError(
            f"{role}='{value.name}' is {value.type}; gradients exist by and of floats only: "
            "tensors, or sequences and optionals of them"
        )


def refuse_unused(targets: Sequence[Value], sources: Sequence[Value], allowed: bool) -> None:
    """Refuse to give zeros for what does not depend on something, unless that is allowed."""
    if not allowed:
        results, listed = (", ".join(f"'{v.name}'" for v in vs) for vs in (targets, sources))
        raise GradientError(
            f"{results} does not depend on {listed} in a differentiable way; "
            "allow_unused=True gives zeros"
        )


def seed_of_one(graph: Graph, target: Value) -> Value:
    """Add the cotangent of a scalar that is differentiated: the number one, in its shape."""
    shape = [d for d in target.shape or () if isinstance(d, int)]
    return Ops(graph, prefix=GRADIENT).constant(np.ones(shape, target.dtype), name=f"{GRADIENT}one")


def set_apart(graph: Graph, wrt: list[Value]) -> dict[Value, Value]:
    """Let what a node computes and what others read of it be two values: y → Identity(y).

    A rule may read the node's own output: tanh′(x) = 1 − y². That is a function of x, which does
    not move when y alone is moved: a second derivative by x and y would count it. So each of `wrt`
    that another one influences becomes a copy of that name; give what stands for what now.
    """
    apart: dict[Value, Value] = {}
    readers = [n for v in wrt for n in graph.consumers(v)]
    moved = graph.downstream(v for n in readers for v in n.writes())
    for value in wrt:
        node = graph.producer(value)
        if node is None or value not in moved:
            continue
        op = Ops(graph, node.position)
        copy: Value = op.Identity(value)
        graph.replace_uses(value, copy)
        (identity,) = op.emitted
        identity.inputs = (value,)
        graph.reconnect(identity)
        name = value.name
        graph.rename(value, graph.names.fresh(f"{GRADIENT}{name}"))
        graph.rename(copy, name)
        apart[value] = copy
    return apart


def add_output(graph: Graph, value: Value, name: str) -> None:
    """Make a value an output of that name; one that already has a role gets a copy."""
    named = graph.producer(value) is None or value in graph.outputs
    if named or not is_emitted(value):
        value = Ops(graph).Identity(value)
    graph.rename(value, name)
    graph.outputs.append(value)
