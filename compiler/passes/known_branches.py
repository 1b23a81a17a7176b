"""Put the branch that a condition is known to choose in place of its If."""

from ..emission.inlining import move_in
from ..emission.ops import Ops
from ..emission.replacing import put_in_place
from ..graph.ir import Graph, Node
from ..graph.subgraphs import run_on_subgraphs


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
    op = Ops(graph, node.position)
    outputs = move_in(op, branch)
    computed = {v for inner in op.emitted for v in inner.writes()}
    put_in_place(op, node, [v if v in computed else op.Identity(v) for v in outputs])
    return True
