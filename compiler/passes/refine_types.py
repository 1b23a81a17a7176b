"""Infer types again where what stands before has become known; it changes no node."""

from ..graph.ir import Graph, Node, Value
from ..graph.types import ANONYMOUS, Dim, TensorType, Type
from ..inference.folding import fold
from ..inference.node_types import infer_elements_of, infer_types
from ..opset import COMPOSITE_DOMAIN
from .known_branches import take_known_branches
from .split_sequences import split_sequences


def settle(graph: Graph) -> bool:
    """Read parts of split tensors and branches that are known, until no more become known."""
    changed = False
    while split_sequences(graph) | take_known_branches(graph):
        refine_types(graph)
        changed = True
    return changed


def refine_types(graph: Graph) -> None:
    """Note what inference tells now of each node's outputs, where it is more than before."""
    for node in graph.nodes():
        for subgraph in node.subgraphs:
            refine_types(subgraph)
        if node.domain != COMPOSITE_DOMAIN:  # their types are stated by whoever emits them
            refine_node(node)


def refine_node(node: Node) -> None:
    """Note what inference tells now of a node's outputs, its subgraphs left as they are."""
    for value, type_ in zip(node.outputs, infer_types(node), strict=False):
        if value is not None and type_ is not None:
            value.type = _merged(value, type_)
    infer_elements_of(node)
    if any(v.constant is None for v in node.writes()):
        fold(node)


def _merged(value: Value, found: Type) -> Type:
    known = value.type
    if not isinstance(known, TensorType) or not isinstance(found, TensorType):
        return known
    if known.shape is None or found.shape is None or len(known.shape) != len(found.shape):
        return TensorType(known.dtype, found.shape if known.shape is None else known.shape)
    pairs = zip(known.shape, found.shape, strict=True)
    return TensorType(known.dtype, tuple(b if _tells_more(a, b) else a for a, b in pairs))


def _tells_more(before: Dim, after: Dim) -> bool:
    """A number tells more than a name, and a name more than one that we made up."""
    if isinstance(before, int):
        return False
    return isinstance(after, int) or ANONYMOUS in before and ANONYMOUS not in after
