"""Put the branch that a condition is known to choose in place of its If."""

from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..graph.ir import Graph, Node, Value, copy_node
from .subgraphs import run_on_subgraphs


def take_known_branches(graph: Graph) -> bool:
    """If(true, then, else) → the nodes of then

    Not where the other branch makes an output an optional.
    """
    changed = run_on_subgraphs(take_known_branches, graph)
    for node in graph.nodes():
        if node.operator == "If":
            changed = _take(graph, node) or changed
    return changed


def _take(graph: Graph, node: Node) -> bool:
    condition = node.inputs[0]
    if condition is None or condition.constant is None:
        return False
    branch: Graph = node.attributes["then_branch" if condition.constant.all() else "else_branch"]
    pairs = zip(node.outputs, branch.outputs, strict=True)
    if any(a is not None and type(a.type) is not type(b.type) for a, b in pairs):
        return False
    op = Ops(graph, node.position, f"{node.title}/")
    mapping: dict[Value, Value] = {}
    for value in branch.values():
        name = graph.names.fresh(f"{op.prefix}{value.name}")
        mapping[value] = Value(name, value.type, value.constant, value.parameter, value.elements)
        if branch.producer(value) is None:
            graph.add_value(mapping[value])
    for inner in branch.nodes():
        copied = copy_node(inner, mapping, graph.names, renamed=True)
        copied.position = node.position
        graph.add_node(copied)
    computed = (v if branch.producer(v) else op.Identity(mapping.get(v, v)) for v in branch.outputs)
    put_in_place(op, node, [mapping.get(v, v) for v in computed])
    return True
