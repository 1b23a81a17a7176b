"""Read parts of a split tensor from Split instead of from a sequence, where sizes are known."""

from ..emission.ops import Ops
from ..graph.ir import Graph, Node, Value
from ..graph.subgraphs import run_on_subgraphs
from ..standard.schemas import attribute


def split_sequences(graph: Graph) -> bool:
    """SequenceAt(SplitToSequence(x), k) → part k of Split(x), squeezed as SplitToSequence does.

    Not where the sizes or the position are known at run time only. Exporters write this for
    tensor.split and chunk; its gradient is one Concat.
    """
    changed = run_on_subgraphs(split_sequences, graph)
    parts: dict[Node, list[Value]] = {}
    for node in graph.nodes():
        if node.operator == "SequenceAt" and _replace(graph, node, parts):
            changed = True
    return changed


def _replace(graph: Graph, node: Node, parts: dict[Node, list[Value]]) -> bool:
    sequence, position = node.inputs
    (y,) = node.outputs
    split = None if sequence is None else graph.producer(sequence)
    if split is None or split.operator != "SplitToSequence" or position is None or y is None:
        return False
    sizes = _sizes(split)
    where = position.constant
    if sizes is None or where is None or not -len(sizes) <= int(where.item()) < len(sizes):
        return False
    op = Ops(graph, split.position, f"{sequence.name if sequence else ''}/")
    if split not in parts:
        axis = attribute(split, "axis")
        results = op.Split(split.inputs[0], sizes, axis=axis, outputs=len(sizes))
        parts[split] = list(results) if isinstance(results, tuple) else [results]
    part = parts[split][int(where.item())]
    if _squeezes(split):
        new = op.Squeeze(part, [attribute(split, "axis")])
    else:
        new = op.Identity(part)
    graph.redirect(new, y)
    graph.remove(node)
    return True


def _squeezes(split: Node) -> bool:
    whole = len(split.inputs) < 2 or split.inputs[1] is None
    return whole and not attribute(split, "keepdims")


def _sizes(split: Node) -> list[int] | None:
    """Give the sizes of the parts; None where they are not known."""
    x, *rest = split.inputs
    if x is None or x.shape is None:
        return None
    length = x.shape[attribute(split, "axis")]
    if not rest or rest[0] is None:
        return [1] * length if isinstance(length, int) else None
    given = rest[0].constant
    if given is None:
        return None
    if given.ndim:
        return [int(n) for n in given]
    if not isinstance(length, int):
        return None
    size = int(given)
    return [min(size, length - start) for start in range(0, length, size)]
