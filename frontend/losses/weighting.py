"""The weighted sum of several losses of one graph."""

from collections.abc import Mapping

from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import (
    require_graph,
    require_mapping,
    require_number,
    require_text,
)
from onnxgrad.compiler.graph.ir import Graph

from ..building.builder import Builder
from ..selection import require_scalar


def total(graph: Graph, weights: Mapping[str, float], name: str = "loss") -> Graph:
    """Add Σ weight·loss over scalars of the graph.

    Example:
        >>> g = og.losses.cross_entropy(g, "logits", name="task")
        >>> g = og.losses.mse(g, "features", name="match")
        >>> g = og.losses.total(g, {"task": 1.0, "match": 0.5})

    Args:
        graph: a graph with the losses.
        weights: what each counts, by name.
        name: the output to add.

    Raises:
        GraphError: there is no such loss, or no loss at all.
        GradientError: a value is not a scalar.
    """
    if not require_mapping(weights, "weights"):
        raise GraphError("weights is empty; name at least one loss")
    for loss in weights:
        require_scalar(graph, require_graph(graph).find(loss), "loss")
    b = Builder.extend(graph)
    if any(v.name == require_text(name, "name") for v in graph.values()):
        raise GraphError(f"the graph has a '{name}' already; pick another name for the total")
    terms = []
    for loss, weight in weights.items():
        value = b.op.Reshape(b.value(loss), b.constant([], dtype="int64"))
        terms.append(value * require_number(weight, f"the weight of '{loss}'"))
    b.output(b.op.Sum(*terms), name)
    return b.build()
