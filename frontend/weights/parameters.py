"""Which values of a graph training changes; it trains nothing."""

from collections.abc import Mapping, Sequence

from onnxgrad.compiler.errors import GradientError, GraphError
from onnxgrad.compiler.graph.ir import Graph, Node, Value

from ..advice import warn
from ..selection import Selected, Selection, find_values
from .low_rank import is_adapter
from .roles import Kind, Role, Roles, held_floats
from .untying import is_scale_or_bias

ADVICE = "name what to train with parameters=[…]"


def choose_parameters(
    graph: Graph, loss: str | Value, given: Selection | None, frozen: Selection | None = None
) -> Selected:
    """Give the values to train: those given, or else every weight that the loss may depend on.

    A pattern stands for weights. What is a constant by its use is left out by default; what may be
    either, such as a single number, with a warning. Of a graph with adapters these are trained.

    Args:
        graph: the model.
        loss: its loss.
        given: what to train.
        frozen: what not to train of that.
    """
    (target,) = find_values(graph, loss, "loss").values
    reached = graph.upstream([target])
    roles = Roles(graph)
    held = {v: roles.of(v) for v in held_floats(graph) if v in reached}
    weights = [v for v, role in held.items() if role.kind is Kind.WEIGHT]
    paths = {v: path for v in held if (path := roles.path_of(v))}
    others = {v: str(role) for v, role in held.items() if role.kind is not Kind.WEIGHT}
    if given is not None:
        chosen = find_values(graph, given, "parameters", weights, others, paths)
    elif adapters := [v for v in weights if is_adapter(v)]:
        chosen = Selected(adapters, frozenset(adapters))
    elif weights:
        chosen = Selected(weights, frozenset(weights))
        _warn_of_unsure(held)
    else:
        listed = ", ".join(f"{v.name} ({why})" for v, why in others.items())
        but = f" that is a weight, but {listed}" if listed else ""
        raise GradientError(f"'{target.name}' depends on no float initializer{but}; {ADVICE}")
    if frozen is not None:
        chosen = _without(chosen, find_values(graph, frozen, "frozen", list(held), aliases=paths))
    for value in chosen.values:
        if graph.producer(value) is not None:
            raise GraphError(f"'{value.name}' is computed, so it cannot be trained")
        _warn_if_merged(value, [n for n in graph.consumers(value) if n in reached])
    return chosen


def _warn_of_unsure(held: Mapping[Value, Role]) -> None:
    unsure = [v.name for v, role in held.items() if role.kind is Kind.UNSURE]
    if unsure:
        warn(f"what may be constants is not trained: {', '.join(unsure)}; {ADVICE}")


def _without(chosen: Selected, frozen: Selected) -> Selected:
    """Leave out what is frozen; what was named for both is an error."""
    named = [set(s.values) - s.matched for s in (chosen, frozen)]
    for value in chosen.values:
        if value in named[0] & named[1]:
            raise GraphError(f"parameters=… and frozen=… both name '{value.name}'")
    still = set(frozen.values) - named[0]
    kept = [v for v in chosen.values if v not in still]
    if not kept:
        raise GraphError("frozen=… leaves nothing to train; freeze less, or name what to train")
    return Selected(kept, chosen.matched & set(kept))


def statistics_of(graph: Graph) -> dict[Node, tuple[Value, Value]]:
    """Give the mean and variance that each BatchNormalization takes from initializers."""
    found = {}
    for node in graph.nodes():
        if node.op_type == "BatchNormalization" and not node.domain:
            mean, variance = node.inputs[3:5]
            if mean is not None and variance is not None and mean.parameter and variance.parameter:
                found[node] = (mean, variance)
    return found


def _warn_if_merged(value: Value, consumers: Sequence[Node]) -> None:
    readers = [n for n in consumers if is_scale_or_bias(n, value)]
    if len(readers) > 1:
        listed = ", ".join(n.title for n in readers)
        warn(
            f"'{value.name}' is a scale or bias of {len(readers)} operators ({listed}), which "
            "training ties. Where layers are not called twice but an exporter merged equal "
            "initializers, og.untie(graph) gives each its own; to leave it alone pass frozen=[…]"
        )
