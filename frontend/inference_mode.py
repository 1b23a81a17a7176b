"""Bring a model that was exported for training back to inference; it trains nothing."""

from onnxgrad.compiler.emission.naming import GRADIENT, STATE_KEY, TANGENT
from onnxgrad.compiler.errors import GraphError
from onnxgrad.compiler.graph.arguments import require_graph
from onnxgrad.compiler.graph.dead_code import remove_dead_nodes
from onnxgrad.compiler.graph.ir import Graph, Node
from onnxgrad.compiler.standard.schemas import attribute


def to_inference(graph: Graph) -> Graph:
    """Give the graph with BatchNormalization by its running statistics and Dropout passing all.

    Updated statistics are no longer computed: as outputs of the graph they go, and what reads them
    reads the old ones. An input that only said whether to train goes, too.

    Raises:
        GraphError: the graph holds gradients or is a training step; bring the model itself back.
    """
    copy = require_graph(graph).copy()
    fed = [v for v in copy.inputs if copy.consumers(v)]
    if not _bring_back(copy):
        return copy
    if STATE_KEY in copy.metadata or any(
        v.name.startswith((GRADIENT, TANGENT)) for v in copy.values()
    ):
        raise GraphError(
            f"the graph '{copy.name}' holds gradients of its training mode; call to_inference on "
            "the model, og.with_parameters(model, stepper.state())"
        )
    remove_dead_nodes(copy)
    copy.inputs = [v for v in copy.inputs if v not in fed or copy.consumers(v)]
    return copy


def _bring_back(graph: Graph) -> bool:
    changed = False
    for node in graph.nodes():
        inner = [_bring_back(g) for g in node.subgraphs]
        if any(inner):
            graph.reconnect(node)
        changed |= any(inner) or _to_inference(graph, node)
    return changed


def _to_inference(graph: Graph, node: Node) -> bool:
    if node.operator == "Dropout" and node.input(2) is not None:
        node.inputs = node.inputs[:2]
        graph.reconnect(node)
        return True
    if node.operator == "BatchNormalization" and attribute(node, "training_mode"):
        del node.attributes["training_mode"]
        for k, old in ((1, node.input(3)), (2, node.input(4))):
            new = node.outputs[k] if k < len(node.outputs) else None
            if new is None or old is None:
                continue
            graph.outputs = [v for v in graph.outputs if v is not new]
            graph.replace_uses(new, old)
            graph.omit_output(node, k)
        node.outputs = node.outputs[:1]
        return True
    return False
