"""Which values of a graph training changes; it trains nothing."""

from collections.abc import Sequence

from onnx.defs import OpSchema

from onnxgrad.compiler.errors import GradientError, GraphError
from onnxgrad.compiler.graph.ir import Graph, Node, Value
from onnxgrad.compiler.graph.types import is_float
from onnxgrad.compiler.standard.schemas import find_schema

from .advice import warn
from .selection import Selected, Selection, find_values

_SCALES_AND_BIASES = {
    "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "RMSNormalization": (1,),
    "Conv": (2,),
    "ConvTranspose": (2,),
    "Gemm": (2,),
}
"""Inputs that are a scale or a bias, by operator."""

ADVICE = "name what to train with parameters=[…]"


def choose_parameters(graph: Graph, loss: str | Value, given: Selection | None) -> Selected:
    """Give the values to train: those given, or else every weight that the loss may depend on.

    A pattern stands for weights. Single numbers are left out by default, with a warning: exporters
    write a model's constants as initializers too. So are sizes and limits such as the scales of
    Resize, and statistics.
    """
    (target,) = find_values(graph, loss, "loss").values
    reached = graph.upstream([target])
    weights = [v for v in graph.values() if v in reached and _is_weight(graph, v)]
    if given is not None:
        chosen = find_values(graph, given, "parameters", weights)
    else:
        scalars = [v for v in weights if _may_be_constant(graph, v)]
        found = [v for v in weights if v not in scalars]
        chosen = Selected(found, frozenset(found))
        listed = ", ".join(v.name for v in scalars)
        if not found:
            but = f" but scalars ({listed})" if scalars else ""
            raise GradientError(f"'{target.name}' depends on no float initializer{but}; {ADVICE}")
        if scalars:
            warn(f"scalars may be constants, so not trained: {listed}; {ADVICE}")
    for value in chosen.values:
        if graph.producer(value) is not None:
            raise GraphError(f"'{value.name}' is computed, so it cannot be trained")
        _warn_if_merged(value, [n for n in graph.consumers(value) if n in reached])
    return chosen


def statistics_of(graph: Graph) -> dict[Node, tuple[Value, Value]]:
    """Give the mean and variance that each BatchNormalization takes from initializers."""
    found = {}
    for node in graph.nodes():
        if node.op_type == "BatchNormalization" and not node.domain:
            mean, variance = node.inputs[3:5]
            if mean is not None and variance is not None and mean.parameter and variance.parameter:
                found[node] = (mean, variance)
    return found


def _is_weight(graph: Graph, value: Value) -> bool:
    if not value.parameter or not is_float(value.dtype):
        return False
    if any(value in pair for pair in statistics_of(graph).values()):
        return False
    return not all(_reads_as_setting(n, value) for n in graph.consumers(value))


def _may_be_constant(graph: Graph, value: Value) -> bool:
    """Tell whether a weight looks like a number of the model's formula: one factor or exponent."""
    if value.rank == 0:
        return True
    factor = all(n.op_type in ("Mul", "Div", "Pow") for n in graph.consumers(value))
    return factor and all(dim == 1 for dim in value.shape or ())


def _reads_as_setting(node: Node, value: Value) -> bool:
    """Tell whether a node reads a value only where the standard says it has no derivative."""
    schema = find_schema(node.op_type, node.domain)
    if schema is None or any(value in graph.captures() for graph in node.subgraphs):
        return False
    none = OpSchema.DifferentiationCategory.NonDifferentiable
    last = len(schema.inputs) - 1
    places = [k for k, v in enumerate(node.inputs) if v is value]
    return all(schema.inputs[min(k, last)].differentiation_category == none for k in places)


def _warn_if_merged(value: Value, consumers: Sequence[Node]) -> None:
    readers = [n for n in consumers if _is_scale_or_bias(n, value)]
    if len(readers) > 1:
        listed = ", ".join(n.title for n in readers)
        warn(
            f"'{value.name}' is a scale or bias of {len(readers)} operators ({listed}): exporters "
            "merge equal initializers, and training it ties these layers. Export the model with "
            "parameters that differ, or train others with parameters=[…]"
        )


def _is_scale_or_bias(node: Node, value: Value) -> bool:
    if node.op_type in ("Add", "Mul"):
        return value.rank == 1
    places = _SCALES_AND_BIASES.get(node.op_type, ())
    return any(k < len(node.inputs) and node.inputs[k] is value for k in places)
